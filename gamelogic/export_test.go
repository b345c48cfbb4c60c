package gamelogic

// Inspect runs the section checks and the rewriting of a binary, not its code.
func Inspect(wasm []byte) error {
	l, err := inspect(wasm)
	if err != nil {
		return err
	}
	// What the rewriting wrote must still be readable and hold the reserved names.
	again, err := inspect(l.exposeGlobals())
	if len(l.mutable) > 0 && err == nil {
		panic("the reserved names are missing")
	}
	if len(l.mutable) == 0 && (err != nil || len(again.sections) != len(l.sections)) {
		panic("the rewriting broke a binary without mutable globals")
	}
	return nil
}
