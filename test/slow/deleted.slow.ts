/**
 * The cache directory is deleted under a real daemon: no fsync claims to have kept anything, no
 * wrong byte is read, `hive status` says it, and the next mount brings back what peers have. Or an
 * older one is put in its place: it is not mounted, and takes nothing back that peers have.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync } from "node:fs";
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Test, test } from "tap";
import { type Machine, newMachine, until } from "../support/cli.ts";
import { shell } from "../support/small-disk.ts";

function deleteCache(machine: Machine): void {
  rmSync(join(machine.home, "state", "cache"), { recursive: true });
}

test("a deleted cache is noticed, and peers give back what they had", {
  timeout: 240_000,
}, async (t) => {
  const machine = newMachine("deleted");
  t.teardown(() => machine.end());
  const { mount } = machine;
  await machine.must(t, ["mount", mount, "--swarm", "6"]);
  const wrote = await shell(`cd ${mount} && mkdir d && for n in 1 2 3; do head -c 2000000 ` +
    "/dev/urandom > d/file$n; done; head -c 500 /dev/urandom > small; " +
    "sha256sum d/* small > ../sums");
  t.equal(wrote.code, 0, wrote.error);
  await machine.must(t, ["flush", "--timeout", "120"]);
  await shell(`cd ${mount} && head -c 900000 /dev/urandom > late && sync late`);

  deleteCache(machine);
  const claimed = await shell(`echo more > ${mount}/more && sync ${mount}/more`);
  t.not(claimed.code, 0, "no fsync claims that it was kept");
  const again = await shell(`sync ${mount}/late`);
  t.not(again.code, 0, "not even of what was kept before");
  const { trouble, pid } = await machine.status();
  t.match(trouble, /cache was deleted: .*hive unmount/);
  t.match(readFileSync(join(machine.home, "state", "hive.log"), "utf8"), /error cache\.deleted/);
  const reading = await shell("echo 1 > /proc/sys/vm/drop_caches; " +
    `cd ${mount} && sha256sum -c ../sums`, { seconds: 60 });
  t.notMatch(reading.out, /: FAILED$/m, "no wrong byte");
  t.equal(reading.code, 0, `all that peers have still reads: ${reading.error}`);

  const unmounted = await machine.hive(["unmount"]);
  t.match(unmounted.error, /was deleted/, "unmounting says what could not be kept");
  await until(async () => !existsSync(`/proc/${pid}`), { seconds: 60, what: "the daemon ends" });
  const mounted = await machine.must(t, ["mount", mount]);
  t.match(mounted.error, /local store was gone: what peers have is back/);
  const back = await shell(`cd ${mount} && sha256sum -c ../sums`, { seconds: 60 });
  t.equal(back.code, 0, back.error);
  t.equal((await machine.status()).trouble, null);
  await shell(`head -c 300000 /dev/urandom > ${mount}/new`);
  const flushed = await machine.hive(["flush", "--timeout", "120"]);
  t.equal(flushed.code, 0, `and the drive goes on to publish: ${flushed.error}`);
});

test("a cache that was restored alone, or lost its root, is not mounted; peers give back what is", {
  timeout: 240_000,
}, async (t) => {
  const machine = newMachine("restored");
  t.teardown(() => machine.end());
  const { mount } = machine;
  const cache = join(machine.home, "state", "cache");
  const backup = join(machine.home, "backup");
  await machine.must(t, ["mount", mount, "--swarm", "6"]);
  await shell(`echo before > ${mount}/old`);
  await machine.must(t, ["flush", "--timeout", "120"]);
  await machine.must(t, ["unmount"]);
  cpSync(cache, backup, { recursive: true });
  await machine.must(t, ["mount", mount]);
  await shell(`echo after > ${mount}/new && echo changed > ${mount}/old`);
  await machine.must(t, ["flush", "--timeout", "120"]);
  await machine.must(t, ["unmount"]);

  rmSync(cache, { recursive: true });
  cpSync(backup, cache, { recursive: true });
  await refusedUntilMoved(t, machine, /cache holds an older state than this machine has told peers/);
  t.equal((await shell(`cat ${mount}/old ${mount}/new`, { seconds: 60 })).out, "changed\nafter\n");
  await machine.must(t, ["unmount"]);

  loseRoot(cache);
  await refusedUntilMoved(t, machine, /cache has lost its newest root/);
  t.equal((await shell(`cat ${mount}/old ${mount}/new`, { seconds: 60 })).out, "changed\nafter\n");
});

async function refusedUntilMoved(t: Test, machine: Machine, why: RegExp): Promise<void> {
  const refused = await machine.hive(["mount", machine.mount]);
  t.not(refused.code, 0);
  t.match(refused.error, why);
  t.match(refused.error, /hint: move it away/);
  const cache = join(machine.home, "state", "cache");
  renameSync(cache, mkdtempSync(join(machine.home, "aside-")));
  const mounted = await machine.must(t, ["mount", machine.mount]);
  t.match(mounted.error, /what peers have is back/);
}

/** It is in the index, and in a frame of kind 1 for each commit. */
function loseRoot(cache: string): void {
  rmSync(join(cache, "index"), { recursive: true });
  const magic = Buffer.from("HvB\x01", "latin1");
  for (const name of readdirSync(join(cache, "blocks"))) {
    const path = join(cache, "blocks", name);
    const bytes = readFileSync(path);
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      if (bytes[at + 4] === 1) bytes[at + 60] = (bytes[at + 60] as number) ^ 1;
    }
    writeFileSync(path, bytes);
  }
}

test("without peers nothing can come back, and the mount says so", {
  timeout: 60_000,
}, async (t) => {
  const machine = newMachine("alone");
  t.teardown(() => machine.end());
  await machine.must(t, ["init"]);
  const first = await machine.must(t, ["mount", machine.mount]);
  t.notMatch(first.error, /gone/);
  await machine.must(t, ["unmount"]);
  deleteCache(machine);
  const mounted = await machine.must(t, ["mount", machine.mount]);
  t.match(mounted.error, /local store was gone, and no peer had anything of it/);
});
