/** The engines inside native/gf256: one kernel for each path that this CPU can run. */
import { HiveError } from "../base/errors.ts";
import { loadAddon } from "../base/machine/native.ts";
import type { Kernel } from "./kernel.ts";

/** What native/gf256/addon.c exports; it checks every argument itself. */
export interface Gf256Addon {
  readonly paths: readonly string[];
  multiply(
    path: number, matrix: Uint8Array, inputs: readonly Uint8Array[],
    outputs: readonly Uint8Array[],
  ): void;
}

/** Best first; empty where the addon was never built. */
export function addonKernels(): readonly Kernel[] {
  const addon = loadAddon("gf256", parseAddon);
  if (addon === undefined) return [];
  return addon.paths.map((engine, path) => ({
    engine,
    multiply: (matrix, inputs, outputs) => addon.multiply(path, matrix, inputs, outputs),
  }));
}

export function parseAddon(exports: unknown): Gf256Addon {
  const addon = exports as Partial<Gf256Addon> | null;
  const sound = typeof addon?.multiply === "function" && Array.isArray(addon.paths) &&
    addon.paths.length > 0 && addon.paths.every((path) => typeof path === "string");
  if (!sound) throw new HiveError("Corrupt", "erasure.load", "gf256 is another addon");
  return addon as Gf256Addon;
}
