/**
 * What a shell expects of any program, and what it may not expect of a person: pipes that end
 * early, a full device, folders that cannot be, words that are empty, descriptors that are closed.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "tap";
import { type Ran, root, run } from "../support/cli.ts";

const main = join(root, "src", "cli", "main.ts");

/** As a shell runs it, with `$HIVE` for the command. */
function shell(line: string, home: string): Promise<Ran> {
  const env = { ...process.env, HIVE_HOME: home, HIVE: `${process.execPath} ${main}` };
  return run("bash", ["-c", `set -o pipefail; ${line}`], { env });
}

test("output that nobody reads, or that cannot be written, is no stack trace", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "hive-manners-"));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const [piped, full, mute] = await Promise.all([
    shell("{ sleep 0.2; $HIVE help; } | true", home),
    shell("$HIVE help >/dev/full", home),
    shell("$HIVE bogus 2>/dev/full", home),
  ]);
  t.strictSame(piped, { code: 0, out: "", error: "" }, "whoever reads no more has enough");
  t.equal(full.code, 1);
  t.equal(full.error, "hive: standard output cannot be written: ENOSPC\n");
  t.equal(mute.code, 2);
});

test("a home that cannot be is told, and not tried for ever", async (t) => {
  const inFile = await shell("$HIVE init", "/etc/passwd");
  t.equal(inFile.code, 2);
  t.match(inFile.error, /^hive: not a directory: \/etc\/passwd\/config \(.*\)\nhive: hint: /);
  const nowhere = await shell("timeout 60 $HIVE init", "/proc/nowhere");
  t.equal(nowhere.code, 3);
  t.match(nowhere.error, /^hive: not found: \/proc\/nowhere\/config \(home.make\)\n/);
});

test("a file of the home that cannot be read or written is named, and stays what it was", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "hive-manners-"));
  const settings = join(home, "config", "settings.json");
  t.teardown(async () => {
    await run("umount", [home], {});
    rmSync(home, { recursive: true, force: true });
  });
  t.equal((await run("mount", ["-t", "tmpfs", "-o", "size=1m", "none", home], {})).code, 0, "this test needs root");
  const kept = await shell("$HIVE snapshots keep none", home);
  t.strictSame(kept, { code: 0, out: "", error: "hive: keeps none\n" }, "which makes the home");
  const before = readFileSync(settings, "utf8");
  await shell(`dd if=/dev/zero of=${home}/full bs=1k`, home);
  for (const [words, name] of [
    ["quota 5G", settings], ["limit up 1MiB/s", settings], ["pause", join(home, "state", "pause.json")],
    ["init", join(home, "config", "key")],
  ] as const) {
    const full = await shell(`$HIVE ${words}`, home);
    t.equal(full.code, 6, words);
    t.match(full.error, `hive: no space left: ${name} (home.write)\nhive: hint: free some of that disk`);
  }
  t.equal(readFileSync(settings, "utf8"), before);
  t.strictSame(readdirSync(join(home, "config")).sort(), ["new-drive", "settings.json"]);
  rmSync(settings);
  mkdirSync(settings);
  const folder = await shell("$HIVE quota", home);
  t.strictSame(folder, { code: 2, out: "", error: `hive: is a directory: ${settings} (home.read)\n` });
  for (const [word, name] of [["status", "state/control.sock"], ["fsck", "config/key"]] as const) {
    const others = await shell(`setpriv --reuid=65534 --regid=65534 --clear-groups $HIVE ${word}`, home);
    t.match(others, { code: 4, error: `hive: permission denied: ${join(home, name)}` });
  }
});

test("what XDG names with nothing, or no whole path, is no folder in the one somebody is in", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "hive-manners-"));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  for (const named of ["", "below"]) {
    const names = ["CONFIG", "STATE", "CACHE"].map((one) => `XDG_${one}_HOME=${named}`).join(" ");
    const line = `mkdir ${directory}/in; cd ${directory}/in; HOME=${directory}/ann${named} ${names} $HIVE init`;
    t.equal((await shell(line, "")).code, 0);
    t.strictSame(readdirSync(join(directory, "in")), []);
    t.ok(existsSync(join(directory, `ann${named}`, ".config", "hive", "key")));
  }
});

test("what is no address of a peer is refused before anything is made for its sake", async (t) => {
  const home = join(tmpdir(), "hive-manners-nobody");
  for (const command of ["recover", "device add"]) {
    for (const peer of ["bob", "192.0.2.7:4001", "/ip4/192.0.2.7/tcp/4001"]) {
      const refused = await shell(`$HIVE ${command} --peer ${peer} </dev/null`, home);
      t.equal(refused.code, 2);
      t.match(refused.error, /^hive: wrong usage: --peer \S+: an address such as \/ip4\//);
    }
  }
  t.notOk(existsSync(home));
});

test("a passphrase comes by any descriptor, and one that is closed is named", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "hive-manners-"));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const closed = await shell("$HIVE init --passphrase --passphrase-fd 9", home);
  t.equal(closed.code, 2);
  t.match(closed.error, /^hive: wrong usage: --passphrase-fd 9: nothing to read there/);

  // An older Node comes first in PATH, which would pass no descriptor on.
  const [tools, bin] = [join(home, "tools"), join(root, "scripts", "hive")];
  await run("mkdir", [tools], {});
  writeFileSync(join(tools, "node"), "#!/bin/sh\necho 'this is not the one' >&2\nexit 70\n");
  chmodSync(join(tools, "node"), 0o755);
  symlinkSync(bin, join(tools, "hive"));
  const line = `PATH=${tools}:$PATH; hive init --passphrase --passphrase-fd 9 9<<<secret`;
  const made = await shell(line, home);
  t.equal(made.code, 0, made.error);
  t.match(made.out, /^These 24 words are your drive/);
});

test("a passphrase is typed unseen, and Ctrl-C is Ctrl-C", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "hive-manners-"));
  t.teardown(() => rmSync(home, { recursive: true, force: true }));
  const typed = async (...keys: string[]): Promise<{ readonly code: number | null; readonly seen: string }> => {
    const line = `${process.execPath} ${main} init --passphrase`;
    const child = spawn("script", ["-qec", line, "/dev/null"], { env: { ...process.env, HIVE_HOME: home } });
    let [seen, answered] = ["", 0];
    child.stdout.on("data", (part: Buffer) => {
      seen += part.toString();
      const asked = seen.match(/(passphrase|again): /g)?.length ?? 0;
      while (answered < asked) child.stdin.write(keys[answered++] ?? "");
    });
    const [code] = await once(child, "close") as [number | null];
    return { code, seen };
  };
  const ended = await typed("four her\u0003");
  t.equal(ended.code, 130);
  t.notMatch(ended.seen, "four");
  const made = await typed("four herons\r", "four herons\u0004");
  t.equal(made.code, 0);
  t.match(made.seen, "These 24 words are your drive");
  t.notMatch(made.seen, "herons");
});

for (const command of ["accept", "join", "device confirm"]) {
  test(`hive ${command} takes its secret from a line of standard input, where no ps shows it`, async (t) => {
    const home = mkdtempSync(join(tmpdir(), "hive-manners-"));
    t.teardown(() => rmSync(home, { recursive: true, force: true }));
    const spoken = await shell(`$HIVE ${command} secret`, home);
    t.match(spoken.error, /hive mount/, "there is no daemon to tell it to");
    for (const way of [`${command} -`, command]) {
      t.strictSame(await shell(`$HIVE ${way} <<<secret`, home), spoken, way);
      const empty = await shell(`$HIVE ${way} </dev/null`, home);
      t.equal(empty.code, 2);
      t.match(empty.error, /^hive: wrong usage: which (string|invite|code)\? the line is empty/);
      const closed = await shell(`$HIVE ${way} <&-`, home);
      t.equal(closed.code, 2);
    }
    const slow = await shell(`{ sleep 0.2; echo secret; sleep 0.2; } | $HIVE ${command} -`, home);
    t.strictSame(slow, spoken, "it waits for the line, and for no more than that");
  });
}

test("a secret that was spoken as a word stands in no argv while the command waits", async (t) => {
  const home = mkdtempSync(join(tmpdir(), "hive-manners-"));
  const asked = Promise.withResolvers<void>();
  const silent = createServer((socket) => void socket.on("error", () => {}).once("data", () => asked.resolve()));
  mkdirSync(join(home, "state"));
  await once(silent.listen(join(home, "state", "control.sock")), "listening");
  const words = [main, "device", "confirm", "abcd-efgh-ijkl"];
  const child = spawn(process.execPath, words, { env: { ...process.env, HIVE_HOME: home }, stdio: "ignore" });
  t.teardown(() => {
    child.kill();
    silent.close();
    rmSync(home, { recursive: true, force: true });
  });
  await asked.promise;
  t.notMatch(readFileSync(`/proc/${child.pid}/cmdline`, "latin1"), "abcd");
});
