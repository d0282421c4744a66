/** What native/fuse/addon.c exports, typed once. Every number may be minus an errno. */
import { HiveError } from "../base/errors.ts";
import { loadAddon } from "../base/machine/native.ts";

export interface FuseAddon {
  open(): number;
  mount(source: string, directory: string, type: string, flags: number, data: string): number;
  unmount(directory: string, flags: number): Promise<number>;
  pair(): readonly [ours: number, theirs: number] | number;
  receive(socket: number): number;
  read(device: number, buffer: Uint8Array, patienceUs: number): number;
  write(
    device: number, head: Uint8Array, headLengthBytes: number, pieces?: readonly Uint8Array[],
  ): number;
  /** A notice, which may wait for what the kernel awaits of us: nothing else waits behind it. */
  notify(device: number, notice: Uint8Array, lengthBytes: number): Promise<number>;
  poll(device: number, readable: () => void): () => void;
  /** Runs this; threads that are made by it, or by those, are never sent a signal. */
  withSignalsBlocked<T>(act: () => T): T;
}

const names = [
  "open", "mount", "unmount", "pair", "receive", "read", "write", "notify", "poll",
  "withSignalsBlocked",
] as const;

/** Undefined where it was never built: the kernel driver is not for this machine then. */
export function loadFuseAddon(): FuseAddon | undefined {
  return loadAddon("fuse", parseAddon);
}

function parseAddon(exports: unknown): FuseAddon {
  const addon = exports as Partial<Record<string, unknown>> | null;
  const sound = names.every((name) => typeof addon?.[name] === "function");
  if (!sound) throw new HiveError("Corrupt", "mount.load", "fuse is another addon");
  return exports as FuseAddon;
}
