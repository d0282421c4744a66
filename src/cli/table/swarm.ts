/** The command that runs peers on this machine; see commands.ts. */
import { type CommandSpec, json } from "./spec.ts";

export const swarmCommands = [
  {
    name: "swarm",
    operands: "start|stop|kill|status [PEER...]",
    operandsMax: 100,
    summary: "run real peers on this machine, to try things and disasters",
    details:
      "`start` begins a swarm or starts stopped peers again; `stop` ends peers, `kill` ends them " +
      "without warning (SIGKILL with --processes). PEER is a number as `status` shows it; " +
      "without one, --fraction says how many, and without that it is all.",
    options: [
      { name: "peers", value: "N", summary: "how many peers to start (default: 8)" },
      { name: "fraction", value: "F", summary: "this share of the running peers (0 to 1)" },
      { name: "processes", summary: "one process for each peer" },
      { name: "wipe", summary: "with kill: delete their vaults too" },
      json,
      { name: "host", summary: "be the swarm's process", hidden: true },
    ],
  },
] as const satisfies readonly CommandSpec[];
