package table

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/edgereel/edgereel/gamelogic"
)

// book is one finished round. What else a line holds (criteria, sums of base
// game and feature) serves its makers and is not shown to players.
type book struct {
	ID     *uint64           `json:"id"`
	Payout *uint64           `json:"payoutMultiplier"`
	Events []json.RawMessage `json:"events"`
}

func parseBook(line []byte) (*book, error) {
	var b book
	if err := json.Unmarshal(line, &b); err != nil {
		return nil, fmt.Errorf("is no book: %w", err)
	}
	if b.ID == nil || b.Payout == nil || b.Events == nil {
		return nil, errors.New("is no book: id, payoutMultiplier and events are due")
	}
	return &b, nil
}

// roomForEvents is what a step's presentation holds beside its frame.
const roomForEvents = gamelogic.MaxPresentation - 160

// split cuts a book into presentations of single steps, between events:
//
//	{"id":17,"part":1,"parts":2,"events":[…]}
//	{"id":17,"part":2,"parts":2,"payoutMultiplier":1150,"events":[…]}
//
// The last one alone says what the round pays.
func (b *book) split() ([][]byte, error) {
	type span struct{ from, to int }
	spans, size, from := []span(nil), 0, 0
	for i, e := range b.Events {
		if len(e)+1 > roomForEvents {
			return nil, fmt.Errorf("event %d of book %d has %d bytes: a step shows at most %d", i, *b.ID, len(e), roomForEvents-1)
		}
		if size+len(e)+1 > roomForEvents {
			spans, size, from = append(spans, span{from, i}), 0, i
		}
		size += len(e) + 1
	}
	spans = append(spans, span{from, len(b.Events)})
	if len(spans) > maxParts {
		return nil, fmt.Errorf("book %d needs %d steps: at most %d", *b.ID, len(spans), maxParts)
	}
	parts := make([][]byte, len(spans))
	for i, s := range spans {
		p := append([]byte(`{"id":`), strconv.FormatUint(*b.ID, 10)...)
		p = fmt.Appendf(p, `,"part":%d,"parts":%d`, i+1, len(spans))
		if i == len(spans)-1 {
			p = fmt.Appendf(p, `,"payoutMultiplier":%d`, *b.Payout)
		}
		p = append(p, `,"events":[`...)
		for j, e := range b.Events[s.from:s.to] {
			if j > 0 {
				p = append(p, ',')
			}
			p = append(p, e...)
		}
		parts[i] = append(p, `]}`...)
	}
	return parts, nil
}
