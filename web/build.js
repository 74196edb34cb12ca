// Builds the page into dist/page: static files, for any web server. Builds parts of the client into
// dist/node, for tests in Node.
import { build } from "esbuild";
import { cp, rm } from "node:fs/promises";

await rm("dist", { recursive: true, force: true });
await cp("public", "dist/page", { recursive: true });
await build({
  entryPoints: ["src/page.ts"],
  outfile: "dist/page/page.js",
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
});
await build({
  entryPoints: ["src/acks.ts", "src/frames.ts", "src/window.ts"],
  outdir: "dist/node",
  bundle: true,
  format: "esm",
  target: "node20",
});
