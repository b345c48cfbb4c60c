package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/v2"
	yamlv3 "go.yaml.in/yaml/v3"
)

const envPrefix = "EDGEREEL_"

// Load reads, overlays, completes and checks the configuration at path, with
// this process's environment. Every failure is an *Error.
func Load(path string) (Config, error) { return LoadWith(path, os.Environ()) }

// LoadWith is Load with an environment of its own, in the form of os.Environ.
func LoadWith(path string, environ []string) (Config, error) {
	c, err := read(path, environ)
	if err == nil {
		c.setDefaults()
		err = errors.Join(c.Validate(), c.checkFiles())
	}
	if err != nil {
		return Config{}, inFile(path, err)
	}
	return c, nil
}

func read(path string, environ []string) (Config, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Config{}, problem("--config", "there is no such file; name the node's configuration file")
	case err != nil:
		return Config{}, problem("--config", "cannot be read: %v", err)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return Config{}, problem("--config", "find its folder: %v", err)
	}
	k := koanf.New(".")
	if err := k.Load(rawbytes.Provider(text), yaml.Parser()); err != nil {
		return Config{}, problem("", "not valid YAML: %v", err)
	}
	overlay := envOverlay{kinds: envKinds()}
	provider := env.Provider(".", env.Opt{
		Prefix:        envPrefix,
		TransformFunc: overlay.transform,
		EnvironFunc:   func() []string { return environ },
	})
	if err := k.Load(provider, nil); err != nil {
		return Config{}, problem("", "read the environment: %v", err)
	}
	c, err := decode(k)
	if err := errors.Join(append(overlay.problems, err)...); err != nil {
		return Config{}, err
	}
	c.resolvePaths(filepath.Dir(absolute))
	return c, nil
}

func decode(k *koanf.Koanf) (Config, error) {
	var c Config
	var meta mapstructure.Metadata
	err := k.UnmarshalWithConf("", &c, koanf.UnmarshalConf{DecoderConfig: &mapstructure.DecoderConfig{
		DecodeHook: mapstructure.DecodeHookFuncType(wholeNumbers),
		Metadata:   &meta,
		Result:     &c,
		TagName:    "koanf",
	}})
	if err != nil {
		return Config{}, problem("", "%s", strings.ReplaceAll(err.Error(), "\n", " "))
	}
	var unknown []error
	slices.Sort(meta.Unused)
	for _, key := range meta.Unused {
		unknown = append(unknown, problem(key, "unknown key; remove it or correct its name"))
	}
	return c, errors.Join(unknown...)
}

// wholeNumbers refuses 1.5 where an integer is asked for; the decoder would
// cut it off in silence.
func wholeNumbers(from, to reflect.Type, data any) (any, error) {
	whole := to.Kind() >= reflect.Int && to.Kind() <= reflect.Uint64
	if f, ok := data.(float64); ok && whole {
		return nil, fmt.Errorf("expected a whole number, got %v", f)
	}
	return data, nil
}

// envKinds lists the keys the environment may set, with their kinds.
func envKinds() map[string]reflect.Kind {
	kinds := map[string]reflect.Kind{
		"node": reflect.String, "region": reflect.String,
		"data": reflect.String, "roles": reflect.Slice,
	}
	for section := range reflect.TypeFor[Config]().Fields() {
		if section.Type.Kind() != reflect.Struct {
			continue
		}
		for field := range section.Type.Fields() {
			kinds[section.Tag.Get("koanf")+"."+field.Tag.Get("koanf")] = field.Type.Kind()
		}
	}
	return kinds
}

// envOverlay turns variables into keys and collects what is wrong with them.
type envOverlay struct {
	kinds    map[string]reflect.Kind
	problems []error
}

func (o *envOverlay) transform(name, value string) (string, any) {
	key := strings.ToLower(strings.TrimPrefix(name, envPrefix))
	section, rest, sectioned := strings.Cut(key, "_")
	if _, top := o.kinds[key]; sectioned && !top {
		if !o.knowsSection(section) {
			return "", nil
		}
		key = section + "." + rest
	}
	kind, known := o.kinds[key]
	switch {
	case !known && !sectioned:
		return "", nil
	case !known:
		o.problems = append(o.problems, problem(name, "section %q has no key %q; unset the variable or correct its name", section, rest))
		return "", nil
	}
	parsed, err := parseAs(kind, value)
	if err != nil {
		o.problems = append(o.problems, problem(name, "%v", err))
		return "", nil
	}
	return key, parsed
}

func (o *envOverlay) knowsSection(section string) bool {
	for key := range o.kinds {
		if strings.HasPrefix(key, section+".") {
			return true
		}
	}
	return false
}

func parseAs(kind reflect.Kind, value string) (any, error) {
	switch kind {
	case reflect.Slice:
		return strings.Split(value, ","), nil
	case reflect.Int, reflect.Int64, reflect.Uint64:
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", value)
		}
		return n, nil
	case reflect.Float64:
		f, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a number", value)
		}
		return f, nil
	default:
		return value, nil
	}
}

// paths are the keys that name files or folders.
func (c *Config) paths() map[string]*string {
	return map[string]*string{
		"data":        &c.Data,
		"identity.ca": &c.Identity.CA, "identity.cert": &c.Identity.Cert, "identity.key": &c.Identity.Key,
		"keys.seeds": &c.Keys.Seeds, "keys.tokens": &c.Keys.Tokens, "keys.directory": &c.Keys.Directory,
	}
}

func (c *Config) resolvePaths(folder string) {
	for _, path := range c.paths() {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(folder, *path)
		}
	}
}

// Write stores the configuration as YAML, readable by its owner alone and
// whole or not at all.
func (c Config) Write(path string) error {
	text, err := yamlv3.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode configuration: %w", err)
	}
	temporary := path + ".new"
	if err := os.WriteFile(temporary, text, 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}
