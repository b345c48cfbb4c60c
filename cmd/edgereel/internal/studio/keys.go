package studio

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/edgereel/edgereel/api/dsse"
)

// KeysNew are the flags of `edgereel studio keys new`.
type KeysNew struct {
	Out    string `help:"File of the private key; the public one goes beside it, with .pub behind its name." required:"" placeholder:"FILE" type:"path"`
	Studio string `help:"The studio, for the command that is shown for the administrator." default:"NAME" placeholder:"NAME"`
	JSON   bool   `help:"Print JSON, see docs/cli-json.md."`
}

// KeysNewReport is what --json prints.
type KeysNewReport struct {
	Schema      int    `json:"schema"`
	KeyID       string `json:"key_id"`
	PublicKey   string `json:"public_key"`
	PrivateFile string `json:"private_file"`
	PublicFile  string `json:"public_file"`
}

// Help is shown by --help.
func (*KeysNew) Help() string {
	return `Makes an Ed25519 key pair in two new PEM files. The private key (PKCS #8) is
readable by you alone and never leaves this machine; an administrator of the
cluster adds the public one. Files that are there already are not touched.

Example:
  edgereel studio keys new --out acme.key`
}

// Do makes the pair.
func (k *KeysNew) Do(out io.Writer) error {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return fmt.Errorf("make a key: %w", err)
	}
	open := k.Out + ".pub"
	if err := dsse.WritePrivate(k.Out, private); err != nil {
		return err
	}
	if err := dsse.WritePublic(open, public); err != nil {
		return errors.Join(err, os.Remove(k.Out))
	}
	r := KeysNewReport{Schema: 1, KeyID: dsse.KeyID(public), PublicKey: hex.EncodeToString(public), PrivateFile: k.Out, PublicFile: open}
	if k.JSON {
		return printJSON(out, r)
	}
	_, err = fmt.Fprintf(out, `key id   %s
private  %s   keep it; nobody can make it again
public   %s   for the administrator of the cluster:
         edgereel studio keys add --studio %s --public %s --person NAME
`, r.KeyID, r.PrivateFile, r.PublicFile, k.Studio, r.PublicFile)
	return err
}
