/** A disk of its own for a machine's state: small, and full or read-only when a test says so. */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "tap";
import { type Machine, newMachine, run } from "./cli.ts";

export interface SmallDisk {
  readonly machine: Machine;
  /** Where it is mounted: the machine's state directory. */
  readonly state: string;
  freeBytes(): number;
  /** Takes all that is left, as other programs do; gives it back when false. */
  fill(full: boolean): void;
  remount(how: "ro" | "rw"): Promise<number | null>;
  end(): Promise<void>;
}

/** Needs root, and fails without it: a disk that is not full proves nothing. */
export async function smallDisk(t: Test, name: string, sizeMiB: number): Promise<SmallDisk> {
  const machine = newMachine(name);
  const state = join(machine.home, "state");
  const ballast = join(state, "ballast");
  mkdirSync(state);
  const mounted = await run("mount", ["-t", "tmpfs", "-o", `size=${sizeMiB}m`, "none", state], {});
  if (mounted.code !== 0) t.fail(`this test needs root, to mount a tmpfs: ${mounted.error}`);
  await machine.must(t, ["init"]);
  const freeBytes = (): number => {
    const { bavail, bsize } = statfsSync(state);
    return bavail * bsize;
  };
  return {
    machine,
    state,
    freeBytes,
    fill(full) {
      rmSync(ballast, { force: true });
      // The daemon may take some of it meanwhile: then it is full a little earlier.
      if (full) spawnSync("dd", ["if=/dev/zero", `of=${ballast}`, "bs=4k", "status=none"]);
    },
    remount: async (how) => (await run("mount", ["-o", `remount,${how}`, state], {})).code,
    async end() {
      await machine.hive(["unmount", "--lazy"]);
      await run("umount", ["-l", machine.mount], {});
      await run("umount", ["-l", state], {});
      await machine.end();
    },
  };
}

/** One shell command on the mount, in a process of its own that cannot outlast its time. */
export async function shell(line: string, options: { readonly seconds?: number } = {}) {
  const words = ["-s", "KILL", String(options.seconds ?? 60), "sh", "-c", line];
  const start = performance.now();
  const ran = await run("timeout", words, { env: { ...process.env, LC_ALL: "C" } });
  return { ...ran, seconds: (performance.now() - start) / 1000 };
}
