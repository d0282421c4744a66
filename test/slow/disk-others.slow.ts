/**
 * A disk that others fill, under a real daemon: nothing ends, what was synced stays, and room heals
 * it in place. Needs root.
 */
import { test } from "tap";
import { until } from "../support/cli.ts";
import { shell, smallDisk } from "../support/small-disk.ts";

test("others fill the disk to its last byte: nothing ends, and room heals it in place", {
  timeout: 240_000,
}, async (t) => {
  const disk = await smallDisk(t, "others", 128);
  t.teardown(() => disk.end());
  const { machine } = disk;
  const { mount } = machine;
  await machine.must(t, ["mount", mount]);
  const { pid } = await machine.status();
  const write = (name: string, MiB: number) =>
    shell(`dd if=/dev/urandom of=${mount}/${name} bs=1M count=${MiB} conv=fsync`, { seconds: 80 });
  for (const name of ["one", "two"]) t.equal((await write(name, 6)).code, 0);
  await shell(`cd ${mount} && sha256sum one two > ../sums`);
  disk.fill(true);
  t.equal(disk.freeBytes(), 0);
  t.match((await write("three", 12)).error, /No space left on device/);
  disk.fill(true);
  for (let turn = 0; turn < 30; turn++) {
    await shell(`cd ${mount}; mkdir d${turn}; echo ${turn} > s${turn}; sync s${turn}; rm s${turn}`);
  }
  t.match((await machine.status()).trouble, /disk of .* is full/);
  t.equal((await shell(`cd ${mount} && ls && rm -f three && sha256sum -c ../sums`)).code, 0);
  t.equal((await machine.status()).pid, pid, "the daemon lives");

  disk.fill(false);
  await until(async () => (await machine.status()).trouble === null, {
    seconds: 100, what: "the trouble is over",
  });
  const more = await write("four", 6);
  t.equal(more.code, 0, more.error);
  await shell(`cd ${mount} && sha256sum four >> ../sums`);
  process.kill(pid, "SIGKILL");
  await machine.must(t, ["mount", mount]);
  const after = await shell(`cd ${mount} && sha256sum -c ../sums`);
  t.equal(after.code, 0, `what was synced outlives a kill too: ${after.error}`);

  await machine.must(t, ["unmount"]);
  disk.fill(true);
  const start = await machine.hive(["mount", mount]);
  if (start.code !== 0) {
    t.equal(start.code, 6, start.error);
    t.match(start.error, /no space left.*\n.*hint: free some of that disk/);
    disk.fill(false);
    await machine.must(t, ["mount", mount]);
  }
  t.equal((await shell(`cd ${mount} && sha256sum -c ../sums`)).code, 0);
});
