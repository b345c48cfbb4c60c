package edgereel

import "unsafe"

// Bytes are the block as the host sees it: input at the front, output from
// byte 16,384.
func (b *Block) Bytes() []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&b.words)), ioSize)
}
