/**
 * How `hive mount` and `hive unmount` meet what people do: a directory that is not empty, a second
 * mount, open files, signals, the other driver, another user.
 */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, rmdirSync, statSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { type Test, test } from "tap";
import { type Machine, newMachine, run, until } from "../support/cli.ts";

const patience = { timeout: 120_000 };
const asNobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];

test("a directory with files in it is hidden only when asked to", patience, async (t) => {
  const machine = newMachine("nonempty");
  t.teardown(() => machine.end());
  const file = join(machine.mount, "mine");
  writeFileSync(file, "not Hive's");
  const refused = await machine.hive(["mount", machine.mount]);
  t.equal(refused.code, 2);
  t.match(refused.error, /not empty: .*drive/);
  t.match(refused.error, /hint: use an empty directory/);
  t.equal(readFileSync(file, "utf8"), "not Hive's");

  await machine.must(t, ["mount", machine.mount, "-o", "nonempty"]);
  t.strictSame(readdirSync(machine.mount), [], "the drive is empty, and over it");
  await machine.must(t, ["unmount"]);
  t.equal(readFileSync(file, "utf8"), "not Hive's");
});

test("a drive is mounted once, and comes off when nobody uses it", patience, async (t) => {
  const machine = newMachine("busy");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount]);
  t.equal((await machine.hive(["mount", machine.mount])).code, 0, "the same again is no fault");
  symlinkSync(machine.directory, join(machine.directory, "link"));
  const linked = join(machine.directory, "link", "drive");
  t.equal((await machine.hive(["mount", linked])).code, 0, "nor is another name for it");
  const elsewhere = join(machine.directory, "elsewhere");
  const second = await machine.hive(["mount", elsewhere]);
  t.equal(second.code, 8, "at two places it is");
  t.match(second.error, new RegExp(`mounted at ${machine.mount}`));

  const user = spawn("sh", ["-c", "exec 3> f; echo open; read x"], { cwd: machine.mount });
  t.teardown(() => user.kill());
  await once(user.stdout, "data");
  const busy = await machine.hive(["unmount"]);
  t.equal(busy.code, 8);
  t.match(busy.error, /in use/);
  t.match(busy.error, /hint: .*--lazy/);
  t.equal((await machine.status()).mount, machine.mount, "and it serves on");
  const lazy = await machine.must(t, ["unmount", "--lazy", linked]);
  t.match(lazy.error, /ends once no program has files open/);
  t.strictSame(readdirSync(machine.mount), [], "hidden at once");
  const status = await machine.must(t, ["status"]);
  t.match(status.out, /^mount .*taken off/, "nobody is told that it is mounted");
  const again = await machine.hive(["mount", machine.mount]);
  t.equal(again.code, 8, "nor that it is mounted already");
  t.match(again.error, /hint: .*close them/);
  user.stdin.end("\n");
  await once(user, "exit");
  await until(async () => (await machine.hive(["status"])).code === 5, { seconds: 60, what: "its end" });
});

test("a drive that was taken off is not told to be mounted, while its daemon ends", patience,
  async (t) => {
    const machine = newMachine("ending");
    t.teardown(() => machine.end());
    await machine.must(t, ["mount", machine.mount]);
    writeFileSync(join(machine.mount, "file"), Buffer.alloc(8 * 1024 * 1024, 1));
    let isAnswered = false;
    const unmounting = machine.must(t, ["unmount"]).finally(() => (isAnswered = true));
    while (await mountsUnder(machine) !== "") await new Promise((later) => setTimeout(later, 1));
    t.notOk(isAnswered, "it is being closed");
    const mounted = await machine.must(t, ["mount", machine.mount]);
    t.notMatch(mounted.error, /already/);
    await unmounting;
    t.equal(readFileSync(join(machine.mount, "file")).length, 8 * 1024 * 1024);
    t.equal((await machine.status()).mount, machine.mount);
  });

test("SIGTERM unmounts and flushes: the next mount finds all of it", patience, async (t) => {
  const machine = newMachine("sigterm");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount]);
  writeFileSync(join(machine.mount, "file"), "written, never synced");
  const { pid } = await machine.status();
  process.kill(pid, "SIGTERM");
  await until(async () => !alive(pid), { seconds: 60, what: "the daemon ends" });
  t.strictSame(readdirSync(machine.mount), []);
  t.equal(await mountsUnder(machine), "");
  await machine.must(t, ["mount", machine.mount]);
  t.equal(readFileSync(join(machine.mount, "file"), "utf8"), "written, never synced");

  const killed = await machine.status();
  process.kill(killed.pid, "SIGKILL");
  await until(async () => !alive(killed.pid), { seconds: 60, what: "it is gone" });
  const dead = await machine.hive(["publish", join(machine.mount, "file"), join(machine.directory, "file.car")]);
  t.equal(dead.code, 5, "which is not that there is no file");
  const off = await machine.must(t, ["unmount", machine.mount]);
  t.match(off.error, /had been killed; what that left is taken off/);
  t.equal(await mountsUnder(machine), "");
  t.equal((await machine.hive(["unmount", machine.mount])).code, 5, "and there is nothing more");
});

test("the driver of fuse-native serves the same drive", patience, async (t) => {
  const machine = newMachine("fuse-native");
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount, "--driver", "fuse-native"]);
  const status = JSON.parse((await machine.hive(["status", "--json"])).out) as { driver: string };
  t.equal(status.driver, "fuse-native");
  const bytes = Buffer.alloc(700_000, "fuse-native ");
  mkdirSync(join(machine.mount, "folder"));
  writeFileSync(join(machine.mount, "folder", "file"), bytes);
  t.ok(readFileSync(join(machine.mount, "folder", "file")).equals(bytes));
  await machine.must(t, ["unmount"]);
  t.strictSame(readdirSync(machine.mount), []);
  await machine.must(t, ["mount", machine.mount, "--driver", "kernel"]);
  t.ok(readFileSync(join(machine.mount, "folder", "file")).equals(bytes), "and so does the other");
});

test("another user mounts, through fusermount3", patience, async (t) => {
  const wrapper = asNobody;
  const machine = newMachine("nobody", { as: { wrapper, uid: 65534 } });
  t.teardown(() => machine.end());
  openDevice(t);
  await machine.must(t, ["mount", machine.mount]);
  const script = 'echo mine > "$0/a" && cat "$0/a" && stat -c %u "$0/a" && grep "$0" /proc/mounts';
  const words = [...wrapper.slice(1), "sh", "-c", script, machine.mount];
  const seen = await run("setpriv", words, {});
  t.match(seen.out, /^mine\n65534\nhive .* fuse\.hive .*user_id=65534/);
  await machine.must(t, ["unmount"]);
  t.equal(await mountsUnder(machine), "");
});

/** In a namespace of its own, where these lie over what mounting takes. */
const over = (lines: string, as: readonly string[] = []) => [
  "unshare", "-m", "sh", "-ec", `${lines}; exec "$@"`, "sh", ...as,
];

for (const [what, wrapper, uid] of [
  ["the device cannot be opened", over(
    "mount --bind /dev/fuse /dev/fuse; mount -o remount,bind,nodev /dev/fuse",
  ), 0],
  ["the device is another", over("mount --bind /dev/null /dev/fuse"), 0],
  ["root may not mount", ["setpriv", "--bounding-set=-sys_admin"], 0],
  ["fusermount3 is missing", over(
    "for one in $(which -a fusermount3 fusermount); do mount --bind /dev/null $one; done", asNobody,
  ), 65534],
] as const) {
  test(`where ${what}, hive mount says so, and no drive is made`, patience, async (t) => {
    const machine = newMachine("unmountable", { as: { wrapper, uid }, isBare: true });
    t.teardown(() => machine.end());
    rmdirSync(machine.mount);
    for (const words of [[], ["--foreground"], ["--swarm", "1"]]) {
      const refused = await machine.hive(["mount", machine.mount, ...words]);
      t.not(refused.code, 0);
      t.equal(refused.out, "", "no words are shown");
      t.match(refused.error, /^hive: [^\n]+ \(mount\.(attach|helper)\)\nhive: hint: hive doctor tells [^\n]+\n$/);
    }
    t.strictSame([readdirSync(machine.home), existsSync(machine.mount)], [[], false], "nothing is made");
    t.equal((await machine.hive(["doctor"])).code, 1, "and hive doctor agrees");
  });
}

/** udev lets everybody open the device; where there is no udev, nobody has done so. */
function openDevice(t: Test): void {
  const before = statSync("/dev/fuse").mode & 0o777;
  if ((before & 0o006) === 0o006) return;
  chmodSync("/dev/fuse", 0o666);
  t.teardown(() => chmodSync("/dev/fuse", before));
}

test("a path of any length serves as HIVE_HOME", patience, async (t) => {
  const machine = newMachine("long", { home: join("long".repeat(30), "home".repeat(30)) });
  t.teardown(() => machine.end());
  await machine.must(t, ["mount", machine.mount, "--swarm", "3"]);
  t.equal((await machine.status()).mount, machine.mount);
  t.equal((await machine.swarm()).length, 3);
});

test("two homes are two drives", patience, async (t) => {
  const one = newMachine("one");
  const other = newMachine("other");
  t.teardown(() => Promise.all([one.end(), other.end()]));
  await Promise.all([one.must(t, ["mount", one.mount]), other.must(t, ["mount", other.mount])]);
  writeFileSync(join(one.mount, "name"), "one");
  writeFileSync(join(other.mount, "name"), "other");
  t.equal(readFileSync(join(one.mount, "name"), "utf8"), "one");
  const wrong = await one.hive(["unmount", other.mount]);
  t.equal(wrong.code, 3, "one does not take off the other's");
  await one.must(t, ["unmount", one.mount]);
  t.equal(readFileSync(join(other.mount, "name"), "utf8"), "other");
  const taken = await one.hive(["mount", other.mount]);
  t.equal(taken.code, 8, "a mount point in use is not mounted over");
});

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function mountsUnder(machine: Machine): Promise<string> {
  return (await run("grep", [machine.directory, "/proc/mounts"], {})).out;
}
