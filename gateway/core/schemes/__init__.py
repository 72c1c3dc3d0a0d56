"""The ways in which senders prove who they are: one file each, and what several of them share."""
