package node

// Fatal ends the node as a replica that may not go on does.
func (n *Node) Fatal(err error) { n.fatal(err) }
