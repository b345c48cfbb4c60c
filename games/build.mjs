// Builds modules in one process, which spares most of the compiler's start.
// Arguments: the compiler's module, then for each module its source, its
// variant and where to write it. Paths are relative to the repository.
import { pathToFileURL } from "node:url";

const [compiler, ...rest] = process.argv.slice(2);
const { default: asc } = await import(pathToFileURL(compiler).href);
for (let i = 0; i + 2 < rest.length; i += 3) {
  const [source, variant, out] = rest.slice(i, i + 3);
  const { error, stderr } = await asc.main([
    source, "-O3", "--runtime", "stub", "--noAssert", "--use", "abort=", "--use", `VARIANT=${variant}`, "-o", out,
  ]);
  process.stderr.write(stderr.toString());
  if (error) process.exit(1);
}
