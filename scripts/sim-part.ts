/** One part of a simulation, on a thread of its own: it tells what it does, and last its outcome. */
import { parentPort, workerData } from "node:worker_threads";
import type { Outcome, Size } from "../test/sim/figure.ts";
import { type Trial, trials } from "../test/sim/trials/all.ts";

export type PartTold = { readonly does: string } | { readonly outcome: Outcome };

const { name, size } = workerData as { readonly name: string; readonly size: Size };
const tell = (told: PartTold): void => parentPort?.postMessage(told);
const trial = trials[name] as Trial;
tell({ outcome: await trial({ ...size, tell: (does) => tell({ does }) }) });
