SELECT endpoint, node, places FROM shares
