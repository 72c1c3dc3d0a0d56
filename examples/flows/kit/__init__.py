"""What the flows' tests share: the gateway of a flow, and how it and the servers are asked."""
