package seglog

// place gives a log its extent and the entries from first on their places. It
// is called by the writer with the group locked, and by recovery.
func (l *Log) place(g *Group, after extent, first uint64, places []loc) {
	g.index.resize(after, l.release)
	for i, p := range places {
		l.move(g, first+uint64(i), p)
	}
}

// move gives an entry another place.
func (l *Log) move(g *Group, i uint64, p loc) {
	g.index.put(i, p, l.release)
	if s := l.segments[p.segment]; s != nil {
		s.live += int64(p.length)
		l.live += int64(p.length)
	}
}

// release forgets a place that no log needs any more.
func (l *Log) release(p loc) {
	if p.length == 0 {
		return
	}
	if s := l.segments[p.segment]; s != nil {
		s.live -= int64(p.length)
		l.live -= int64(p.length)
	}
}
