/** What a command and a node load: nothing that is not asked for, as hundreds of starts pay for it. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "tap";

const hook = `
import { registerHooks } from "node:module";
registerHooks({ load(url, context, next) { process.stdout.write(url + "\\n"); return next(url, context); } });
`;

/** The modules that are loaded with one of ours, the machine's among them. */
function loadedWith(module: string): readonly string[] {
  const file = fileURLToPath(new URL(`../../src/${module}`, import.meta.url));
  const hooks = `data:text/javascript,${encodeURIComponent(hook)}`;
  const loading = ["--import", hooks, "--input-type=module", "--eval", `await import(${JSON.stringify(file)})`];
  const { stdout, stderr, status } = spawnSync(process.execPath, loading, { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim().split("\n");
}

const drive = /src\/(tree|cache|peers|transfer|mount|web)\/|node:http$|node_modules\/level\//;

test("whoever only asks a daemon or a swarm loads none of a drive's rooms", (t) => {
  for (const module of ["cli/run.ts", "cli/commands/swarm.ts", "cli/commands/drive.ts"]) {
    t.strictSame(loadedWith(module).filter((one) => drive.test(one)), [], module);
  }
  t.end();
});

test("a mount loads no network library on the kernel's thread, and no HTTP", (t) => {
  const loaded = loadedWith("cli/commands/mount.ts");
  t.ok(loaded.some((one) => one.includes("src/tree/")), "it loads its own rooms");
  t.strictSame(loaded.filter((one) => /libp2p|node:http$/.test(one)), []);
  t.end();
});

test("a node loads no X.509, no mDNS and nothing for a router before it needs them", (t) => {
  const loaded = loadedWith("node/node.ts");
  t.ok(loaded.some((one) => one.includes("node_modules/libp2p/")), "it loads its network");
  const later = /peculiar|asn1|reflect-metadata|mdns|multicast-dns|upnp|libp2p.noise/;
  t.strictSame(loaded.filter((one) => later.test(one)), []);
  t.end();
});
