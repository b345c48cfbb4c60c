package wallet

import "sort"

// CurrencyTableVersion numbers the table below. A wallet pins the exponent it
// was opened with, so a later table never changes what an amount means.
const CurrencyTableVersion = 1

// Currency is a unit of account: an ISO 4217 code and the number of digits
// after the decimal point of its minor unit (0 to 8).
type Currency struct {
	Code     string
	Exponent uint8
}

// LookUpCurrency finds a currency of the present table.
func LookUpCurrency(code string) (Currency, bool) {
	table := currencyTable()
	i := sort.Search(len(table), func(i int) bool { return table[i].Code >= code })
	if i == len(table) || table[i].Code != code {
		return Currency{}, false
	}
	return table[i], true
}

// currencyTable is ISO 4217 as published on 2026-01-01 for the currencies
// operators use, in order of code. The exponents differ from CLDR's rounding
// digits on purpose: a ledger follows the standard, not the shop's habit.
func currencyTable() []Currency {
	return []Currency{
		{"AED", 2},
		{"ALL", 2},
		{"AMD", 2},
		{"ARS", 2},
		{"AUD", 2},
		{"AZN", 2},
		{"BAM", 2},
		{"BDT", 2},
		{"BGN", 2},
		{"BHD", 3},
		{"BOB", 2},
		{"BRL", 2},
		{"BYN", 2},
		{"CAD", 2},
		{"CHF", 2},
		{"CLP", 0},
		{"CNY", 2},
		{"COP", 2},
		{"CRC", 2},
		{"CZK", 2},
		{"DKK", 2},
		{"DOP", 2},
		{"DZD", 2},
		{"EGP", 2},
		{"ETB", 2},
		{"EUR", 2},
		{"GBP", 2},
		{"GEL", 2},
		{"GHS", 2},
		{"GTQ", 2},
		{"HKD", 2},
		{"HNL", 2},
		{"HUF", 2},
		{"IDR", 2},
		{"ILS", 2},
		{"INR", 2},
		{"IQD", 3},
		{"ISK", 0},
		{"JOD", 3},
		{"JPY", 0},
		{"KES", 2},
		{"KGS", 2},
		{"KRW", 0},
		{"KWD", 3},
		{"KZT", 2},
		{"LBP", 2},
		{"LKR", 2},
		{"LYD", 3},
		{"MAD", 2},
		{"MDL", 2},
		{"MKD", 2},
		{"MMK", 2},
		{"MNT", 2},
		{"MXN", 2},
		{"MYR", 2},
		{"NAD", 2},
		{"NGN", 2},
		{"NIO", 2},
		{"NOK", 2},
		{"NPR", 2},
		{"NZD", 2},
		{"OMR", 3},
		{"PEN", 2},
		{"PHP", 2},
		{"PKR", 2},
		{"PLN", 2},
		{"PYG", 0},
		{"QAR", 2},
		{"RON", 2},
		{"RSD", 2},
		{"RUB", 2},
		{"RWF", 0},
		{"SAR", 2},
		{"SEK", 2},
		{"SGD", 2},
		{"THB", 2},
		{"TND", 3},
		{"TRY", 2},
		{"TWD", 2},
		{"TZS", 2},
		{"UAH", 2},
		{"UGX", 0},
		{"USD", 2},
		{"UYU", 2},
		{"UZS", 2},
		{"VES", 2},
		{"VND", 0},
		{"XAF", 0},
		{"XOF", 0},
		{"ZAR", 2},
		{"ZMW", 2},
	}
}
