package history

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

func parse(line []byte) (Record, error) {
	var r Record
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		return r, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("more than one value")
	}
	return r, r.check()
}
