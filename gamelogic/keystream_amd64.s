#include "textflag.h"

// Rows of the state: "expand 32-byte k" in both halves of a register.
DATA text<>+0(SB)/8, $0x3320646e61707865
DATA text<>+8(SB)/8, $0x6b20657479622d32
GLOBL text<>(SB), RODATA|NOPTR, $16

// Byte orders that rotate a word by 16 and by 8.
DATA left16<>+0(SB)/8, $0x0504070601000302
DATA left16<>+8(SB)/8, $0x0d0c0f0e09080b0a
GLOBL left16<>(SB), RODATA|NOPTR, $16
DATA left8<>+0(SB)/8, $0x0605040702010003
DATA left8<>+8(SB)/8, $0x0e0d0c0f0a09080b
GLOBL left8<>(SB), RODATA|NOPTR, $16

// What the block number of each half is beyond the first one.
DATA ahead<>+0(SB)/8, $0
DATA ahead<>+8(SB)/8, $0
DATA ahead<>+16(SB)/8, $1
DATA ahead<>+24(SB)/8, $0
DATA ahead<>+32(SB)/8, $2
DATA ahead<>+40(SB)/8, $0
DATA ahead<>+48(SB)/8, $3
DATA ahead<>+56(SB)/8, $0
GLOBL ahead<>(SB), RODATA|NOPTR, $64

// ROUND is the quarter round of four columns of two blocks at once. T is lost.
#define ROUND(A, B, C, D, T) \
	VPADDD  B, A, A       \
	VPXOR   A, D, D       \
	VPSHUFB Y14, D, D     \
	VPADDD  D, C, C       \
	VPXOR   C, B, B       \
	VPSLLD  $12, B, T     \
	VPSRLD  $20, B, B     \
	VPXOR   T, B, B       \
	VPADDD  B, A, A       \
	VPXOR   A, D, D       \
	VPSHUFB Y15, D, D     \
	VPADDD  D, C, C       \
	VPXOR   C, B, B       \
	VPSLLD  $7, B, T      \
	VPSRLD  $25, B, B     \
	VPXOR   T, B, B

// TURN moves row B by one word, C by two, D by three, or back again.
#define TURN(B, C, D, FIRST, THIRD) \
	VPSHUFD FIRST, B, B \
	VPSHUFD $0x4e, C, C \
	VPSHUFD THIRD, D, D

// WRITE adds the first state to two blocks and stores one behind the other.
#define WRITE(A, B, C, D, FIRST, AT) \
	VPADDD       Y8, A, A      \
	VPADDD       Y9, B, B      \
	VPADDD       Y10, C, C     \
	VPADDD       FIRST, D, D   \
	VPERM2I128   $0x20, B, A, Y13 \
	VMOVDQU      Y13, AT(DI)      \
	VPERM2I128   $0x20, D, C, Y13 \
	VMOVDQU      Y13, (AT+32)(DI) \
	VPERM2I128   $0x31, B, A, Y13 \
	VMOVDQU      Y13, (AT+64)(DI) \
	VPERM2I128   $0x31, D, C, Y13 \
	VMOVDQU      Y13, (AT+96)(DI)

// func fourBlocks(words *[64]uint32, key *[8]uint32, block uint32)
TEXT ·fourBlocks(SB), NOSPLIT, $0-20
	MOVQ words+0(FP), DI
	MOVQ key+8(FP), SI
	MOVL block+16(FP), AX

	VBROADCASTI128 text<>(SB), Y8
	VBROADCASTI128 (SI), Y9
	VBROADCASTI128 16(SI), Y10
	VMOVD          AX, X11
	VINSERTI128    $1, X11, Y11, Y11
	VPADDD         ahead<>+32(SB), Y11, Y12
	VPADDD         ahead<>+0(SB), Y11, Y11
	VBROADCASTI128 left16<>(SB), Y14
	VBROADCASTI128 left8<>(SB), Y15

	VMOVDQA Y8, Y0
	VMOVDQA Y9, Y1
	VMOVDQA Y10, Y2
	VMOVDQA Y11, Y3
	VMOVDQA Y8, Y4
	VMOVDQA Y9, Y5
	VMOVDQA Y10, Y6
	VMOVDQA Y12, Y7
	MOVL    $10, CX

next:
	ROUND(Y0, Y1, Y2, Y3, Y13)
	ROUND(Y4, Y5, Y6, Y7, Y13)
	TURN(Y1, Y2, Y3, $0x39, $0x93)
	TURN(Y5, Y6, Y7, $0x39, $0x93)
	ROUND(Y0, Y1, Y2, Y3, Y13)
	ROUND(Y4, Y5, Y6, Y7, Y13)
	TURN(Y1, Y2, Y3, $0x93, $0x39)
	TURN(Y5, Y6, Y7, $0x93, $0x39)
	DECL CX
	JNZ  next

	WRITE(Y0, Y1, Y2, Y3, Y11, 0)
	WRITE(Y4, Y5, Y6, Y7, Y12, 128)
	VZEROUPPER
	RET
