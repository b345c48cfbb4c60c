// Plays the test vectors of the ABI on a module in the engine of node:
//   node play.mjs MODULE.wasm lantern-pick.json
import { readFileSync } from "node:fs";

const [, , modulePath, vectorsPath] = process.argv;
const vectors = JSON.parse(readFileSync(vectorsPath, "utf8"));
const module = new WebAssembly.Module(readFileSync(modulePath));
let given = [];
let exports;

function draw(bound) {
  const next = given.shift();
  if (!next || next[0] !== bound >>> 0) throw new Error(`a draw of ${bound >>> 0}, the vector has ${JSON.stringify(next)}`);
  return next[1];
}

function draw_many(bounds, values, n) {
  const memory = new DataView(exports.memory.buffer);
  for (let i = 0; i < n; i++) memory.setUint32(values + 4 * i, draw(memory.getUint32(bounds + 4 * i, true)), true);
}

// The runtime of Go wants a system: every function of it does nothing, except
// for a clock, which must not say 0.
const system = {};
for (const i of WebAssembly.Module.imports(module)) {
  if (i.module !== "edgereel") (system[i.module] ??= {})[i.name] = () => 0;
}
if (system.wasi_snapshot_preview1) {
  system.wasi_snapshot_preview1.clock_time_get = (id, precision, at) => {
    new DataView(exports.memory.buffer).setBigUint64(at, 1_000_000_000n, true);
    return 0;
  };
}
exports = new WebAssembly.Instance(module, { ...system, edgereel: { draw, draw_many } }).exports;
exports._initialize?.();
const io = exports.edgereel_io();
const bytes = (at, n) => Buffer.from(new Uint8Array(exports.memory.buffer, at, n));
const same = (what, got, want) => {
  if (got !== want) throw new Error(`${what}: ${got}, want ${want}`);
};

same("minor version", exports.edgereel_abi_1(), vectors.abi_minor);
same("manifest", bytes(io + 16384, exports.edgereel_manifest()).toString("utf8"), vectors.manifest);
for (const v of vectors.steps) {
  new Uint8Array(exports.memory.buffer).set(Buffer.from(v.input, "hex"), io);
  given = v.draws.map((d) => [...d]);
  const code = exports[v.export](v.length);
  same(v.name, code, v.returns);
  same(`${v.name}: draws left`, given.length, 0);
  if (v.export === "edgereel_play" && code >= 0) same(v.name, bytes(io + 16384, code).toString("hex"), v.output);
}
console.log(`${vectors.steps.length} vectors`);
