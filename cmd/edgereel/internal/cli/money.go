package cli

import (
	"fmt"
	"strings"
)

// amount prints minor units as people write them: 12345 with exponent 2 and
// EUR is "123.45 EUR".
func amount(minor int64, exponent uint32, currency string) string {
	sign, digits := "", fmt.Sprint(minor)
	if minor < 0 {
		sign, digits = "-", digits[1:]
	}
	places := int(exponent)
	if places == 0 {
		return sign + digits + " " + currency
	}
	if len(digits) <= places {
		digits = strings.Repeat("0", places+1-len(digits)) + digits
	}
	at := len(digits) - places
	return sign + digits[:at] + "." + digits[at:] + " " + currency
}
