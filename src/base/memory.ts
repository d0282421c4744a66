/**
 * What this process has freed goes back to the machine once it has come to rest: an allocator keeps
 * what a burst of work needed, which after a large copy is more than all that is in use.
 */
import type { Clock } from "./clock.ts";
import { HiveError } from "./errors.ts";
import { limits } from "./limits.ts";
import { loadAddon } from "./native.ts";
import type { Step } from "./step.ts";

interface MemoryAddon {
  trim(): Promise<void>;
}

/** A background step. `forget` is asked first to let go of what it keeps for speed alone. */
export function memoryStep({ clock, forget }: { clock: Clock; forget: () => void }): Step {
  const addon = loadAddon("memory", parseAddon);
  const rest = new Rest();
  const step = async (): Promise<"idle"> => {
    if (!rest.hasCome(clock.monotonicMs(), processCpuMs())) return "idle";
    forget();
    await addon?.trim();
    return "idle";
  };
  return { name: "memory.trim", step };
}

/** Tells when work has ended, once after each piece of it. Pure. */
export class Rest {
  #atMs = 0;
  #cpuMs = 0;
  #worked = true;

  /** Asked at intervals of its own, it answers for the time since. */
  hasCome(atMs: number, cpuMs: number): boolean {
    const { restLookMs, restShareMax } = limits.memory;
    const passedMs = atMs - this.#atMs;
    if (passedMs < restLookMs) return false;
    const isBusy = cpuMs - this.#cpuMs > passedMs * restShareMax;
    this.#atMs = atMs;
    this.#cpuMs = cpuMs;
    const comes = this.#worked && !isBusy;
    this.#worked = isBusy;
    return comes;
  }
}

/** What the process has used so far: milliseconds of processors. */
function processCpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function parseAddon(exports: unknown): MemoryAddon {
  const addon = exports as Partial<MemoryAddon> | null;
  if (typeof addon?.trim === "function") return addon as MemoryAddon;
  throw new HiveError("Corrupt", "memory.load", "memory is another addon");
}
