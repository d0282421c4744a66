/**
 * A state directory that cannot be written, at a mount and under a real daemon: clear words, reads
 * go on, and what was refused is kept once it can be. Needs root.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "tap";
import { run, until } from "../support/cli.ts";
import { shell, smallDisk } from "../support/small-disk.ts";

test("a state directory that cannot be written is told of, and all goes on when it can", {
  timeout: 180_000,
}, async (t) => {
  const disk = await smallDisk(t, "readonly", 64);
  t.teardown(() => disk.end());
  const { machine, state } = disk;
  const { mount } = machine;
  await machine.must(t, ["mount", mount]);
  const wrote = await shell(`cd ${mount} && dd if=/dev/urandom of=kept bs=1M count=3 ` +
    "conv=fsync && sha256sum kept > ../sums");
  t.equal(wrote.code, 0, wrote.error);
  t.not(await disk.remount("ro"), 0, "the kernel keeps a disk writable whose files are open so");
  await machine.must(t, ["unmount"]);

  await until(async () => (await disk.remount("ro")) === 0, {
    seconds: 60, what: "the daemon has let go of its files",
  });
  const refused = await machine.hive(["mount", mount]);
  t.equal(refused.code, 4, refused.error);
  t.match(refused.error, /read-only: .*state.*\n.*hint: make it writable/);
  t.equal(await disk.remount("rw"), 0);
  await machine.must(t, ["mount", mount]);
  t.equal((await shell(`cd ${mount} && sha256sum -c ../sums`)).code, 0);

  const frozen = ["blocks", "index", "journal"].map((name) => join(state, "cache", name));
  const freeze = async (how: "+i" | "-i"): Promise<void> => {
    const ran = await run("chattr", [how, ...frozen], {});
    t.equal(ran.code, 0, ran.error);
  };
  await freeze("+i");
  t.teardown(() => run("chattr", ["-i", ...frozen], {}));
  const files = readdirSync(join(state, "cache", "blocks")).length;
  const hindered = await shell(`dd if=/dev/urandom of=${mount}/more bs=1M count=6 conv=fsync`);
  t.match(hindered.error, /Permission denied/);
  t.equal(readdirSync(join(state, "cache", "blocks")).length, files);
  t.match((await machine.status()).trouble, /cannot be written: make it writable/);
  const reading = await shell(`echo 1 > /proc/sys/vm/drop_caches; cd ${mount} && ls && ` +
    "sha256sum -c ../sums");
  t.equal(reading.code, 0, reading.error);
  await freeze("-i");
  await until(async () => (await machine.status()).trouble === null, {
    seconds: 60, what: "the trouble is over",
  });
  const after = await shell(`cd ${mount} && dd if=/dev/urandom of=after bs=1M count=6 ` +
    "conv=fsync && sha256sum after >> ../sums");
  t.equal(after.code, 0, after.error);
  await machine.must(t, ["unmount"]);
  await machine.must(t, ["mount", mount]);
  const all = await shell(`cd ${mount} && sha256sum -c ../sums`);
  t.equal(all.code, 0, all.error);
});
