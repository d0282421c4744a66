/** The kernel driver: /dev/fuse itself, with the protocol in session.ts. Linux only. */
import { writeFile } from "node:fs/promises";
import { HiveError, isFault } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { describe } from "../../base/log.ts";
import type { FuseAddon } from "../addon.ts";
import { type AttachOptions, attach, detach } from "../attaching/attach.ts";
import { mountAt } from "../attaching/mounts.ts";
import type { Driven, MountNeeds } from "../driver.ts";
import { Session } from "./session.ts";

export async function mountKernel(
  needs: MountNeeds, addon: FuseAddon, options: AttachOptions,
): Promise<Driven> {
  const device = await attach(addon, options);
  const session = new Session({ ...needs, addon }, device);
  try {
    await readyInTime(needs, session);
    await tune(needs, options.directory);
  } catch (error) {
    await abandon(addon, session, options.directory);
    throw error;
  }
  return {
    ended: session.ended,
    stats: () => session.stats(),
    invalidateInode: (ino) => session.invalidateInode(ino),
    invalidateEntry: (parent, name) => session.invalidateEntry(parent, name),
    async unmount(how) {
      await detach(addon, options.directory, how);
      if (!how.lazy) await session.ended;
    },
  };
}

async function readyInTime(needs: MountNeeds, session: Session): Promise<void> {
  const late = Promise.withResolvers<never>();
  using _timer = needs.clock.after(limits.mount.readyMs, () => {
    late.reject(new HiveError("TimedOut", "mount.ready", "the kernel's first request"));
  });
  await Promise.race([session.ready, late.promise]);
}

/** Where we may (root), ask for larger read-ahead and more dirty pages; without it all works. */
async function tune(needs: MountNeeds, directory: string): Promise<void> {
  const device = (await mountAt(directory))?.device;
  if (device === undefined) return;
  const { readAheadKiB, dirtyPercent } = limits.mount;
  for (const [name, value] of [["read_ahead_kb", readAheadKiB], ["max_ratio", dirtyPercent]]) {
    try {
      await writeFile(`/sys/class/bdi/${device}/${name}`, `${value}`);
    } catch (error) {
      needs.log.debug("mount.untuned", { name, error: describe(error) });
    }
  }
}

async function abandon(addon: FuseAddon, session: Session, directory: string): Promise<void> {
  try {
    await detach(addon, directory, { lazy: true });
  } catch (error) {
    // The failure that brought us here is the one to tell.
    if (!isFault(error)) throw error;
  } finally {
    session.close();
  }
}
