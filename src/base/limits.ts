/**
 * Every limit in one place, each with its reason. A room reads its own section; nothing else in
 * the code is a bound. The sections stand in files by what they bound.
 */
import { agentLimits } from "./limits/agent.ts";
import { deviceLimits } from "./limits/devices.ts";
import { findingLimits } from "./limits/finding.ts";
import { keptLimits } from "./limits/kept.ts";
import { ledgerLimits } from "./limits/ledger.ts";
import { localLimits } from "./limits/local.ts";
import { machineLimits } from "./limits/machine.ts";
import { networkLimits } from "./limits/network.ts";
import { treeLimits } from "./limits/tree.ts";

export const limits = {
  ...treeLimits, ...localLimits, ...machineLimits, ...keptLimits, ...ledgerLimits,
  ...networkLimits, ...findingLimits, ...agentLimits, ...deviceLimits,
} as const;
