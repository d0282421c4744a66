/**
 * A large heap grows sparingly. And what this process has freed goes back to the machine once it
 * has come to rest: an allocator keeps what a burst of work needed, which after a large copy is
 * more than all that is in use.
 */
import type { Clock } from "../clock.ts";
import { HiveError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Step } from "../step.ts";
import { boundGrowth, collectAll } from "./collect.ts";
import { loadAddon } from "./native.ts";
import { clearSpares } from "./pool.ts";

interface MemoryAddon {
  trim(): Promise<void>;
}

/** A background step. `forget` is asked first to let go of what it keeps for speed alone. */
export function memoryStep(needs: { readonly clock: Clock; readonly forget?: () => void }): Step {
  const { clock, forget } = needs;
  const addon = loadAddon("memory", parseAddon);
  const rest = new Rest();
  const step = async (): Promise<"idle"> => {
    const looks = rest.look(clock.monotonicMs(), processCpuMs());
    if (looks === 1) {
      forget?.();
      clearSpares();
      collectAll();
    }
    // Once more at the next look: V8 frees buffers behind a collection, on threads of its own.
    if (looks === 1 || looks === 2) await addon?.trim();
    return "idle";
  };
  return { name: "memory.trim", step };
}

/** A background step, for one thread of the process. */
export function growthStep(): Step {
  const step = async (): Promise<"idle"> => {
    boundGrowth();
    return "idle";
  };
  return { name: "memory.growth", step };
}

/** Tells when work has ended, and for how long. Pure. */
export class Rest {
  #atMs = 0;
  #cpuMs = 0;
  #looks = 0;

  /** How many looks in a row have seen rest; undefined when it is too soon for another one. */
  look(atMs: number, cpuMs: number): number | undefined {
    const { restLookMs, restShareMax } = limits.memory;
    const passedMs = atMs - this.#atMs;
    if (passedMs < restLookMs) return undefined;
    const isBusy = cpuMs - this.#cpuMs > passedMs * restShareMax;
    this.#atMs = atMs;
    this.#cpuMs = cpuMs;
    this.#looks = isBusy ? 0 : this.#looks + 1;
    return this.#looks;
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
