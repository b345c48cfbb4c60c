package cli

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/edgereel/edgereel/api/dsse"
	edgereelv1 "github.com/edgereel/edgereel/api/edgereel/v1"
	"github.com/edgereel/edgereel/client"
	"github.com/edgereel/edgereel/cmd/edgereel/internal/studio"
)

// keysGroup is `edgereel studio keys`.
type keysGroup struct {
	New    keysNew    `cmd:"" help:"Make a key pair on this machine."`
	Add    keysAdd    `cmd:"" help:"Let a studio sign with a key."`
	Revoke keysRevoke `cmd:"" help:"End a key for good."`
	List   keysList   `cmd:"" help:"List the studios and their keys."`
}

type keysNew struct{ studio.KeysNew }

// Run makes a key pair.
func (k *keysNew) Run(std *streams) error { return k.Do(std.out) }

// keyReport is one key of --json.
type keyReport struct {
	KeyID       string `json:"key_id"`
	State       string `json:"state"`
	Reason      string `json:"reason"`
	AddedAtMS   int64  `json:"added_at_ms"`
	RevokedAtMS int64  `json:"revoked_at_ms"`
}

// studioReport is one studio of --json.
type studioReport struct {
	Schema int         `json:"schema"`
	Studio string      `json:"studio"`
	Keys   []keyReport `json:"keys"`
}

func newStudioReport(m *edgereelv1.Studio) studioReport {
	r := studioReport{Schema: 1, Studio: m.GetStudio(), Keys: []keyReport{}}
	for _, k := range m.GetKeys() {
		r.Keys = append(r.Keys, keyReport{
			KeyID: k.GetKeyId(), State: k.GetState(), Reason: k.GetReason(), AddedAtMS: k.GetAddedAtMs(), RevokedAtMS: k.GetRevokedAtMs(),
		})
	}
	return r
}

type keysAdd struct {
	reachFlags
	Studio string `help:"The studio; its first key founds it." required:"" placeholder:"NAME"`
	Public string `help:"File of the public key." required:"" placeholder:"FILE" type:"existingfile"`
	personFlags
}

// Help is shown by --help.
func (*keysAdd) Help() string {
	return `Needs a token with the role admin. Make sure that the key is the studio's:
compare the key id over another channel.

Example:
  edgereel studio keys add --studio acme --public acme.key.pub --person Ann`
}

// Run adds a key.
func (k *keysAdd) Run(ctx context.Context, std *streams) error {
	public, err := dsse.ReadPublic(k.Public)
	if err != nil {
		return err
	}
	return k.change(ctx, std, k.Person, func(ctx context.Context, s *client.Studio, person string) (*edgereelv1.Studio, error) {
		m, err := s.AddKey(ctx, &edgereelv1.AddStudioKeyRequest{Studio: k.Studio, PublicKey: public, Person: person, Reason: k.Reason})
		if client.CodeOf(err) == "key_exists" && holds(ctx, s, k.Studio, dsse.KeyID(public)) {
			// A repeat, or an attempt whose answer was lost.
			return &edgereelv1.Studio{Studio: k.Studio, Keys: []*edgereelv1.StudioKey{{KeyId: dsse.KeyID(public), State: "active"}}}, nil
		}
		return m, err
	})
}

// holds tells whether a studio has an active key.
func holds(ctx context.Context, s *client.Studio, studio, id string) bool {
	all, err := s.Studios(ctx)
	if err != nil {
		return false
	}
	for _, st := range all {
		for _, key := range st.GetKeys() {
			if st.GetStudio() == studio && key.GetKeyId() == id && key.GetState() == "active" {
				return true
			}
		}
	}
	return false
}

type keysRevoke struct {
	reachFlags
	Studio string `help:"The studio." required:"" placeholder:"NAME"`
	Key    string `help:"The key's id." required:"" placeholder:"ID"`
	personFlags
}

// Help is shown by --help.
func (*keysRevoke) Help() string {
	return `Needs a token with the role admin. What the key signed is not taken any more, and
what was not released yet never will be. A revoked key never comes back.

Example:
  edgereel studio keys revoke --studio acme --key 0123456789abcdef --person Ann --reason "laptop lost"`
}

// Run revokes a key.
func (k *keysRevoke) Run(ctx context.Context, std *streams) error {
	return k.change(ctx, std, k.Person, func(ctx context.Context, s *client.Studio, person string) (*edgereelv1.Studio, error) {
		return s.RevokeKey(ctx, &edgereelv1.RevokeStudioKeyRequest{Studio: k.Studio, KeyId: k.Key, Person: person, Reason: k.Reason})
	})
}

// change runs a change of keys and prints the studio.
func (r reachFlags) change(ctx context.Context, std *streams, named string,
	do func(context.Context, *client.Studio, string) (*edgereelv1.Studio, error),
) error {
	person, err := personOf(named)
	if err != nil {
		return err
	}
	_, s, done, err := r.openStudio(ctx)
	if err != nil {
		return err
	}
	defer done()
	m, err := do(ctx, s, person)
	if err != nil {
		return err
	}
	if r.JSON {
		return printJSON(std.out, newStudioReport(m))
	}
	return printStudios(std, []studioReport{newStudioReport(m)})
}

type keysList struct{ reachFlags }

// Help is shown by --help.
func (*keysList) Help() string {
	return `Examples:
  edgereel studio keys list
  edgereel studio keys list --json | jq -r '.[] | .studio as $s | .keys[] | "\($s) \(.key_id) \(.state)"'`
}

// Run lists all keys.
func (k *keysList) Run(ctx context.Context, std *streams) error {
	_, s, done, err := k.openStudio(ctx)
	if err != nil {
		return err
	}
	defer done()
	all, err := s.Studios(ctx)
	if err != nil {
		return err
	}
	reports := []studioReport{}
	for _, m := range all {
		reports = append(reports, newStudioReport(m))
	}
	if k.JSON {
		return printJSON(std.out, reports)
	}
	return printStudios(std, reports)
}

func printStudios(std *streams, all []studioReport) error {
	table := tabwriter.NewWriter(std.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "STUDIO\tKEY\tSTATE\tADDED\tREASON")
	for _, s := range all {
		for _, k := range s.Keys {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.Studio, k.KeyID, k.State, dayOf(k.AddedAtMS), k.Reason)
		}
		if len(s.Keys) == 0 {
			fmt.Fprintf(table, "%s\tnone\n", s.Studio)
		}
	}
	return table.Flush()
}
