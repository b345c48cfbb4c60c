package gateway_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgereel/edgereel/api/edgereel/v1/edgereelv1connect"
	"github.com/edgereel/edgereel/node/gateway"
)

// TestStudio_Roles: each call of a release passes with the roles named here and
// with no other; what passes reaches the service, which here knows nothing.
func TestStudio_Roles(t *testing.T) {
	admins := []string{gateway.RoleAdmin}
	pushers := []string{gateway.RoleStudio, gateway.RoleAdmin}
	readers := []string{gateway.RoleStudio, gateway.RoleAdmin, gateway.RoleAuditor}
	d := newDoor(t, func(cfg *gateway.Config) {
		cfg.Studio, cfg.RatePerSecond, cfg.Burst = edgereelv1connect.UnimplementedStudioServiceHandler{}, 1e6, 1e6
	})
	for procedure, allowed := range map[string][]string{
		"AddStudioKey": admins, "RevokeStudioKey": admins, "MoveRelease": admins, "UploadChunk": pushers,
		"ListStudios": readers, "ListReleases": readers, "GetRelease": readers, "GetBlob": readers,
	} {
		for _, role := range []string{gateway.RoleStudio, gateway.RoleAdmin, gateway.RoleAuditor, gateway.RoleOperator} {
			text, err := d.issuer.Operator("acme", []string{role}, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			status, body := d.post(t, "StudioService/"+procedure, text, "{}")
			passed := strings.Contains(body, "unknown_procedure")
			if passed != slices.Contains(allowed, role) || !passed && (status != http.StatusForbidden || !strings.Contains(body, "wrong_role")) {
				t.Errorf("%s with %s is told %d %s", procedure, role, status, body)
			}
		}
		if status, body := d.post(t, "StudioService/"+procedure, d.player(t), "{}"); status != http.StatusForbidden {
			t.Errorf("%s by a player is told %d %s", procedure, status, body)
		}
		if status, body := d.post(t, "StudioService/"+procedure, "", "{}"); status != http.StatusUnauthorized {
			t.Errorf("%s by nobody is told %d %s", procedure, status, body)
		}
	}
}
