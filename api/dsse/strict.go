package dsse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode/utf8"
)

// strict decodes one JSON document and refuses whatever two readers could
// understand differently: keys that into has no field for, in another case, or
// twice; null; a second document; text that is not UTF-8.
func strict(text []byte, into any) error {
	if !utf8.Valid(text) {
		return errors.New("it is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if err := value(d, reflect.TypeOf(into).Elem(), ""); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the JSON document")
	}
	return json.Unmarshal(text, into)
}

// value walks one value beside the type it will become. The types of this
// package nest at most four deep, so that the recursion is bounded by them.
func value(d *json.Decoder, t reflect.Type, at string) error {
	if t.Kind() != reflect.Struct && t.Kind() != reflect.Slice {
		token, err := d.Token()
		if err == nil && (token == nil || fmt.Sprintf("%T", token) == "json.Delim") {
			err = errors.New("a plain value is wanted")
		}
		return where(at, err)
	}
	open, inside := json.Delim('{'), object
	if t.Kind() == reflect.Slice {
		open, inside = '[', array
	}
	if token, err := d.Token(); err != nil {
		return where(at, err)
	} else if token != open {
		return where(at, fmt.Errorf("%q is wanted", rune(open)))
	}
	if err := inside(d, t, at); err != nil {
		return err
	}
	_, err := d.Token() // the end; More said so
	return where(at, err)
}

func array(d *json.Decoder, t reflect.Type, at string) error {
	for i := 0; d.More(); i++ {
		if err := value(d, t.Elem(), fmt.Sprintf("%s[%d]", at, i)); err != nil {
			return err
		}
	}
	return nil
}

func object(d *json.Decoder, t reflect.Type, at string) error {
	fields := map[string]reflect.Type{}
	for i := range t.NumField() {
		fields[t.Field(i).Tag.Get("json")] = t.Field(i).Type
	}
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return where(at, err)
		}
		key, _ := token.(string)
		name := strings.TrimPrefix(at+"."+key, ".")
		field, known := fields[key]
		switch {
		case !known:
			return where(name, errors.New("unknown key"))
		case seen[key]:
			return where(name, errors.New("the key comes twice"))
		}
		seen[key] = true
		if err := value(d, field, name); err != nil {
			return err
		}
	}
	for key := range fields {
		if !seen[key] {
			return where(strings.TrimPrefix(at+"."+key, "."), errors.New("the key is missing"))
		}
	}
	return nil
}

func where(at string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, io.EOF):
		err = errors.New("it ends in the middle")
	}
	if at == "" {
		return err
	}
	return fmt.Errorf("%.80q: %w", at, err)
}
