// Package config is the configuration of one node: a YAML file, overlaid by
// the environment, read into one typed value.
//
// It promises that what it returns was understood completely: a key nobody
// knows, a value of another type and a contradiction between two keys are
// errors that name the key and say what to do. It does not open ports, read
// key material or create folders; it only checks that the named files exist.
//
// # Environment
//
// A key of a section is overlaid by EDGEREEL_SECTION_KEY, for example
// EDGEREEL_TELEMETRY_LOG_LEVEL or EDGEREEL_ADDRESSES_PUBLIC, and four keys
// without a section by EDGEREEL_NODE, EDGEREEL_REGION, EDGEREEL_DATA and
// EDGEREEL_ROLES (comma separated). The cluster and the lists of peers, shards
// and operators are the same on every node and come from the file alone; the
// variable EDGEREEL_CLUSTER belongs to the commands of players and operators.
// A variable of a known section with an unknown key is an error; variables of
// other sections are not ours and are left alone.
//
// # Errors
//
// Load returns an [*Error] listing every problem found, not only the first.
package config
