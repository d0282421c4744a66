/**
 * Devices of one drive whose time a test lets pass: what one leaves to the others for so long, it
 * does itself in the end, and then all lies where its policy says.
 */
import { systemClock } from "../../src/base/clock.ts";
import { rootIno } from "../../src/base/ids.ts";
import { limits } from "../../src/base/limits.ts";
import type { Tree } from "../../src/tree/tree.ts";
import type { Governed } from "./governed.ts";
import { type Device, Devices } from "./merge-devices.ts";
import { listDirectory } from "./walk.ts";

const never = new AbortController().signal;
const { resealForsakenMs } = limits.tree;

export class PatientDevices {
  laterMs = 0;
  readonly devices: Devices;

  constructor(seed: string) {
    const monotonicMs = (): number => systemClock.monotonicMs() + this.laterMs;
    this.devices = new Devices(seed, undefined, { ...systemClock, monotonicMs });
  }

  async add(name: string): Promise<Device> {
    const device = await this.devices.add(name);
    for (const { tree } of this.devices.all) await look(tree);
    return device;
  }

  /** Whatever devices leave to each other for so long is done. */
  async patience(): Promise<void> {
    this.laterMs += resealForsakenMs * (this.devices.all.length + 1);
    for (const { tree } of this.devices.all) await reseal(tree);
    await this.devices.settle();
  }

  /** Blocks that lie under another policy than that of what they are part of, by device. */
  misplaced(): readonly (Governed & { readonly device: string })[] {
    return this.devices.all.flatMap((device) => {
      const wrong = this.devices.governed(device).filter(({ isRight }) => !isRight);
      return wrong.map((block) => ({ ...block, device: device.name }));
    });
  }
}

/** As a kernel does before it tells of anything in there. */
async function look(tree: Tree): Promise<void> {
  for (const { name } of await listDirectory(tree, rootIno)) {
    await tree.lookup({ parent: rootIno, name });
  }
}

export async function reseal(tree: Tree): Promise<void> {
  while (await tree.resealer.step(never) === "busy");
}
