/**
 * Keys, settings and the words a person types: what is private stays private, what is wrong is
 * refused by name and with the documented exit code, and nothing that exists is overwritten.
 */
import { existsSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "tap";
import { newMachine, until, wordsIn } from "../support/cli.ts";

test("keys are for their owner alone, and stand in no argv and no log", async (t) => {
  const machine = newMachine("private");
  t.teardown(() => machine.end());
  const words = wordsIn((await machine.must(t, ["mount", machine.mount, "--swarm", "3"])).out);
  t.strictSame(openToOthers(machine.home), []);
  const key = join(machine.home, "config", "key");
  t.equal(mode(key), 0o600);
  for (const directory of ["config", "state", "state/cache", "state/node", "state/swarm"]) {
    t.equal(mode(join(machine.home, directory)), 0o700, directory);
  }

  const empty = async (): Promise<string> => (await machine.must(t, ["status"])).out;
  await until(async () => /safety +nothing is on peers yet/.test(await empty()), {
    seconds: 60, what: "three peers are known, and nothing has to go to them",
  });
  await machine.must(t, ["flush", "--timeout", "30"]);
  await machine.must(t, ["peers"]);
  const secrets = secretsOf(readFileSync(key), words);
  const seen = [commandLines(), logs(machine.home)].join("\n");
  t.match(seen, machine.directory, "the daemon's command line is among them");
  t.strictSame(secrets.filter((secret) => seen.includes(secret)), []);
});

test("init makes a drive once, and the words make the same one again", async (t) => {
  const machine = newMachine("init");
  const other = newMachine("again");
  t.teardown(() => Promise.all([machine.end(), other.end()]));
  const words = wordsIn((await machine.must(t, ["init"])).out);
  t.equal(words.split(" ").length, 24);
  const key = readFileSync(join(machine.home, "config", "key"));
  const peer = "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooW";
  for (const again of [["init"], ["init", "--recover"], ["recover", "--peer", peer]]) {
    const refused = await machine.hive(again, `${words}\n`);
    t.equal(refused.code, 1, again.join(" "));
    t.match(refused.error, /exists already/);
  }
  t.ok(readFileSync(join(machine.home, "config", "key")).equals(key), "the key is untouched");

  const wrong = await other.hive(["init", "--recover"], words.replace(/^\S+/, "zebra"));
  t.equal(wrong.code, 2, "words with a wrong checksum are refused");
  t.notMatch(wrong.error, words.split(" ").slice(1, 4).join(" "), "and not repeated");
  const back = await other.must(t, ["init", "--recover"], `  ${words.toUpperCase()}\n`);
  t.match(back.error, /hive mount/, "which a drive that has its keys takes; recover it refuses");
  const again = await other.hive(["init"]);
  t.equal(again.code, 1);
});

test("a key file that is gone or damaged is named, and no new drive is made over the local store", async (t) => {
  const machine = newMachine("keyless");
  t.teardown(() => machine.end());
  const words = wordsIn((await machine.must(t, ["init"])).out);
  await machine.must(t, ["mount", machine.mount]);
  writeFileSync(join(machine.mount, "file"), "what was written");
  await machine.must(t, ["unmount"]);
  const key = join(machine.home, "config", "key");
  writeFileSync(key, readFileSync(key).fill(0, 40, 41));
  const damaged = await machine.hive(["mount", machine.mount]);
  t.equal(damaged.code, 7);
  t.match(damaged.error, `${key}: the key file is damaged`);
  t.match(damaged.error, /hint: .*hive init --recover/);
  rmSync(key);
  for (const command of [["mount", machine.mount], ["init"]]) {
    const gone = await machine.hive(command);
    t.not(gone.code, 0);
    t.match(gone.error, `${key} is gone`);
    t.match(gone.error, /hint: .*hive init --recover/);
    t.notOk(existsSync(key));
  }
  await machine.must(t, ["init", "--recover"], words);
  await machine.must(t, ["mount", machine.mount]);
  t.equal(readFileSync(join(machine.mount, "file"), "utf8"), "what was written");
});

test("a passphrase seals the key file", async (t) => {
  const machine = newMachine("passphrase");
  t.teardown(() => machine.end());
  const passphrase = "four herons on a quay";
  const fromInput = ["--passphrase-fd", "0"];
  await machine.must(t, ["init", "--passphrase", ...fromInput], `${passphrase}\n`);
  const wrong = await machine.hive(["mount", machine.mount, ...fromInput], "three herons\n");
  t.equal(wrong.code, 4);
  t.match(wrong.error, /hint: the passphrase is wrong/);
  const none = await machine.hive(["mount", machine.mount]);
  t.equal(none.code, 2, "no terminal to ask on");
  t.match(none.error, /--passphrase-fd/);
  await machine.must(t, ["mount", machine.mount, ...fromInput], `${passphrase}\n`);
  writeFileSync(join(machine.mount, "file"), "x");
  t.notOk([commandLines(), logs(machine.home)].join("\n").includes(passphrase));
});

test("a wrong setting is named", async (t) => {
  const machine = newMachine("settings");
  t.teardown(() => machine.end());
  await machine.must(t, ["init"]);
  const file = join(machine.home, "config", "settings.json");
  const sound = readFileSync(file, "utf8");
  const wrongs: readonly (readonly [string, RegExp])[] = [
    ["{", /not JSON/],
    ["[]", /not an object/],
    ['{"quotaBytes": -1}', /quotaBytes must be a whole number/],
    ['{"country": "Germany"}', /country must be two capital letters/],
    ['{"quotabytes": 1}', /unknown setting quotabytes/],
  ];
  for (const [text, words] of wrongs) {
    writeFileSync(file, text);
    const refused = await machine.hive(["mount", machine.mount]);
    t.equal(refused.code, 2, text);
    t.match(refused.error, words);
    t.match(refused.error, file);
  }
  writeFileSync(file, sound);
  await machine.must(t, ["mount", machine.mount]);
});

test("a wrong command line is told from one that fails", async (t) => {
  const machine = newMachine("usage", { isBare: true });
  t.teardown(() => machine.end());
  const lines: readonly (readonly [readonly string[], number])[] = [
    [[], 2], [["frobnicate"], 2], [["status", "--frobnicate"], 2], [["status", "extra"], 2],
    [["mount", "-o", "frobnicate"], 2], [["mount", "--driver", "frobnicate"], 2],
    [["flush", "--timeout", "soon"], 2], [["cache", "--limit", "much"], 2], [["swarm"], 2],
    [["swarm", "start", "--peers", "1000"], 2], [["join"], 2], [["recover"], 2],
    [["verify", ""], 2], [["mount", ""], 2], [["share", "x"], 2], [["revoke", "x"], 2],
    [["help", "frobnicate"], 2], [["mount", "/etc/passwd"], 2], [["mount", "--swarm", "0"], 2],
    [["cache", "--limit", "3"], 2], [["watch", "/none", "--into", "x"], 3], [["diff"], 2],
    [["status"], 5], [["unmount"], 5], [["flush"], 5], [["verify"], 5], [["swarm", "status"], 5],
    [["snapshots", "create", "x"], 2], [["policy", "list", "x"], 2], [["policy", "use", "x", "y"], 2],
    [["pin", "--list", "x"], 2], [["verify", "x", "--of", "y"], 2], [["verify", "--deep", "--of", "y"], 2],
    [["peers", "--location", "IS"], 2], [["swarm", "start", "--peers", "0"], 2], [["policy", "check", "/"], 2],
    [["policy", "check", "/dev/zero"], 1], [["--help"], 0], [["mount", "--help"], 0], [["--version"], 0],
  ];
  for (const [words, code] of lines) {
    const ran = await machine.hive(words);
    t.equal(ran.code, code, `hive ${words.join(" ")}`);
    const silent = code === 0 ? ran.error : ran.error === "" && ran.out === "";
    t.notOk(silent, `words where they belong: hive ${words.join(" ")}`);
  }
  t.strictSame(readdirSync(machine.home), [], "and nothing was made");
});

test("status --json has what scripts rely on", async (t) => {
  const machine = newMachine("json");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount]);
  const status = await machine.status();
  t.match(status, {
    mount: machine.mount,
    state: "local",
    class: null,
    dirtyBytes: Number,
    cacheBytes: Number,
    segments: { total: 0, healthy: 0, degraded: 0, lost: 0 },
    survives: null,
    parts: [], repair: null, alerts: [],
    lastProvenAt: null,
    peers: { known: 0, online: 0 },
  });
  const text = await machine.must(t, ["status"]);
  t.match(text.out, /kept on this machine only: 0 of 3/);
  for (const words of [["peers"], ["cache"], ["verify"], ["doctor"]]) {
    const ran = await machine.hive([...words, "--json"]);
    t.doesNotThrow(() => JSON.parse(ran.out), `hive ${words.join(" ")} --json`);
  }
  t.equal((await machine.hive(["cache", "--limit", "300M"])).code, 0);
  const settings = readFileSync(join(machine.home, "config", "settings.json"), "utf8");
  t.match(settings, `"cacheLimitBytes": ${300 * 1024 * 1024}`, "and it is remembered");
});

function mode(path: string): number {
  return statSync(path).mode & 0o777;
}

/** Files and directories under the home that a group or others may open: not one. */
function openToOthers(home: string): readonly string[] {
  const top = ["config", "state"].map((name) => join(home, name));
  const open = top.filter((path) => (mode(path) & 0o077) !== 0);
  return open.map((path) => relative(home, path));
}

/** The words in threes, and the key file's bytes in the spellings that end up in logs. */
function secretsOf(key: Buffer, words: string): readonly string[] {
  const list = words.split(" ");
  const threes = list.slice(0, -2).map((_, at) => list.slice(at, at + 3).join(" "));
  const pieces: string[] = [];
  for (let at = 0; at + 16 <= key.length; at += 8) {
    const piece = key.subarray(at, at + 16);
    pieces.push(piece.toString("hex"), piece.toString("base64").slice(0, 20));
  }
  return [...threes, ...pieces];
}

function commandLines(): string {
  const numbers = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const lines = numbers.map((pid) => readOrNothing(`/proc/${pid}/cmdline`));
  return lines.join("\n").replaceAll("\0", " ");
}

function logs(home: string): string {
  const names = readdirSync(home, { recursive: true }).map(String);
  const found = names.filter((name) => name.endsWith(".log") && !name.includes("books"));
  return found.map((name) => readOrNothing(join(home, name))).join("\n");
}

function readOrNothing(path: string): string {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return "";
  }
}
