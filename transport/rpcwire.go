package transport

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// One call is one stream, written whole by each side and ended by EOF:
//
//	request:  version(1) headLen(4) head bodyLen(4) body
//	  head:   method, timeout in ms (uvarint, 0 none), count, count × (key, value)
//	response: version(1) status(1) headLen(4) head bodyLen(4) body
//	  head:   code, text (both empty when status is ok)
//
// Strings are uvarint length and bytes; lengths in frames are big-endian.
const (
	rpcVersion      = 1
	rpcMaxHeadBytes = 16 << 10
	rpcMaxHeaders   = 32
)

// Status of a response.
const (
	statusOK      = 0
	statusFailed  = 1 // the handler ran and returned an error
	statusRefused = 2 // the handler was not started
)

var errFrameTooLarge = errors.New("frame is larger than the limit")

type rpcRequest struct {
	method  string
	timeout time.Duration
	headers map[string]string
	body    []byte
}

type rpcResponse struct {
	status     byte
	code, text string
	body       []byte
}

func (r *rpcRequest) encode() ([]byte, error) {
	if len(r.headers) > rpcMaxHeaders {
		return nil, fmt.Errorf("encode request: %d headers, at most %d", len(r.headers), rpcMaxHeaders)
	}
	head := appendString(nil, r.method)
	head = binary.AppendUvarint(head, uint64(max(0, r.timeout.Milliseconds())))
	head = binary.AppendUvarint(head, uint64(len(r.headers)))
	for key, value := range r.headers {
		head = appendString(appendString(head, key), value)
	}
	if len(head) > rpcMaxHeadBytes {
		return nil, fmt.Errorf("encode request head of %d bytes: %w", len(head), errFrameTooLarge)
	}
	out := make([]byte, 0, 9+len(head)+len(r.body))
	return appendFrame(appendFrame(append(out, rpcVersion), head), r.body), nil
}

func (r *rpcResponse) encode() []byte {
	head := appendString(appendString(nil, clip(r.code)), clip(r.text))
	out := make([]byte, 0, 10+len(head)+len(r.body))
	return appendFrame(appendFrame(append(out, rpcVersion, r.status), head), r.body)
}

// clip keeps an error text inside the head's limit.
func clip(s string) string { return s[:min(len(s), rpcMaxHeadBytes/4)] }

func readRequest(r io.Reader, maxBody int) (*rpcRequest, error) {
	if err := readVersion(r); err != nil {
		return nil, err
	}
	head, err := readFrame(r, rpcMaxHeadBytes)
	if err != nil {
		return nil, fmt.Errorf("read request head: %w", err)
	}
	req, err := parseHead(head)
	if err != nil {
		return nil, err
	}
	if req.body, err = readFrame(r, maxBody); err != nil {
		return req, fmt.Errorf("read request body: %w", err)
	}
	return req, nil
}

func parseHead(head []byte) (*rpcRequest, error) {
	in := bytes.NewReader(head)
	req := &rpcRequest{headers: map[string]string{}}
	var err error
	if req.method, err = readString(in); err != nil {
		return nil, fmt.Errorf("read method: %w", err)
	}
	timeoutMS, err := binary.ReadUvarint(in)
	if err != nil {
		return nil, fmt.Errorf("read timeout: %w", err)
	}
	req.timeout = time.Duration(min(timeoutMS, uint64(24*time.Hour/time.Millisecond))) * time.Millisecond
	count, err := binary.ReadUvarint(in)
	if err != nil {
		return nil, fmt.Errorf("read number of headers: %w", err)
	}
	if count > rpcMaxHeaders {
		return nil, fmt.Errorf("read request head: %d headers, at most %d", count, rpcMaxHeaders)
	}
	for range count {
		key, keyErr := readString(in)
		value, valueErr := readString(in)
		if err := errors.Join(keyErr, valueErr); err != nil {
			return nil, fmt.Errorf("read header: %w", err)
		}
		req.headers[key] = value
	}
	if in.Len() != 0 {
		return nil, fmt.Errorf("read request head: %d bytes too many", in.Len())
	}
	return req, nil
}

func readResponse(r io.Reader, maxBody int) (*rpcResponse, error) {
	if err := readVersion(r); err != nil {
		return nil, err
	}
	var status [1]byte
	if _, err := io.ReadFull(r, status[:]); err != nil {
		return nil, fmt.Errorf("read response status: %w", noEOF(err))
	}
	if status[0] > statusRefused {
		return nil, fmt.Errorf("read response: unknown status %d", status[0])
	}
	head, err := readFrame(r, rpcMaxHeadBytes)
	if err != nil {
		return nil, fmt.Errorf("read response head: %w", err)
	}
	in := bytes.NewReader(head)
	resp := &rpcResponse{status: status[0]}
	var codeErr, textErr error
	resp.code, codeErr = readString(in)
	resp.text, textErr = readString(in)
	if err := errors.Join(codeErr, textErr); err != nil {
		return nil, fmt.Errorf("read response head: %w", err)
	}
	if resp.body, err = readFrame(r, maxBody); err != nil {
		return nil, fmt.Errorf("read response body: %w", err)
	}
	return resp, nil
}

var errVersion = errors.New("unknown version of the call protocol")

func readVersion(r io.Reader) error {
	var version [1]byte
	if _, err := io.ReadFull(r, version[:]); err != nil {
		return fmt.Errorf("read version: %w", noEOF(err))
	}
	if version[0] != rpcVersion {
		return fmt.Errorf("%w: %d, this process speaks %d", errVersion, version[0], rpcVersion)
	}
	return nil
}

func appendFrame(out, frame []byte) []byte {
	return append(binary.BigEndian.AppendUint32(out, uint32(len(frame))), frame...)
}

func readFrame(r io.Reader, limit int) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, noEOF(err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if uint64(n) > uint64(limit) {
		return nil, fmt.Errorf("%d bytes, at most %d: %w", n, limit, errFrameTooLarge)
	}
	// Memory follows what arrives, not what a length promises.
	var buf bytes.Buffer
	if _, err := io.CopyN(&buf, r, int64(n)); err != nil {
		return nil, noEOF(err)
	}
	return buf.Bytes(), nil
}

// noEOF tells a truncated message from a clean end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func appendString(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

func readString(in *bytes.Reader) (string, error) {
	n, err := binary.ReadUvarint(in)
	if err != nil {
		return "", noEOF(err)
	}
	if n > uint64(in.Len()) {
		return "", io.ErrUnexpectedEOF
	}
	s := make([]byte, n)
	_, err = io.ReadFull(in, s)
	return string(s), err
}
