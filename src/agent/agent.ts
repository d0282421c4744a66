/**
 * The face of this room: what a node does by itself, always, in bounded steps. On a node without a
 * drive it only runs the steps it is given; with one it uploads, audits, repairs and publishes.
 */
import type { KeyValue } from "../base/blocks.ts";
import { type Brake, braked, noBrake } from "../base/brake.ts";
import type { Clock } from "../base/clock.ts";
import { type LineUse, type NoticedStep, courteous, noticed, unusedLine }
  from "../base/courtesy.ts";
import { HiveError } from "../base/errors.ts";
import type { PeerId, SegmentId } from "../base/ids.ts";
import type { ServiceTally } from "../base/ledger.ts";
import { limits } from "../base/limits.ts";
import type { Log } from "../base/log.ts";
import type { PeerNetwork } from "../base/network.ts";
import type { VerifyOptions } from "../base/node.ts";
import type { Random } from "../base/random.ts";
import type { Alert } from "../base/safety.ts";
import type { Step } from "../base/step.ts";
import type { VerifyReport } from "../base/views/drive.ts";
import type { Notices } from "../guard/notices.ts";
import type { TransferStatus } from "../transfer/status/status.ts";
import type { Transfer } from "../transfer/transfer.ts";
import { Audit, type AuditNeeds, auditSegment } from "./audits/audit.ts";
import { Probe } from "./audits/probe.ts";
import { Samples } from "./audits/samples.ts";
import { verifySegments } from "./audits/verify.ts";
import { Conduct, type PeerConduct } from "./conduct/conduct.ts";
import { domainsOf } from "./conduct/looking.ts";
import { Adopt } from "./guard/adopt.ts";
import { type Loop, startLoop } from "./loop.ts";
import { Repair } from "./mending/repair.ts";
import { RescueStep } from "./mending/rescue.ts";
import { Balance } from "./policy/balance.ts";
import { DriftStep } from "./policy/drift.ts";
import { alertsOf } from "./telling/alerts.ts";
import { Outlook, type RepairOutlook } from "./telling/outlook.ts";
import { unplacedOf } from "./telling/waiting-words.ts";

export interface AgentNeeds {
  readonly network: PeerNetwork;
  /** Undefined on a node that only keeps shards for others. */
  readonly transfer: Transfer | undefined;
  readonly books: KeyValue;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told of every proof; without it nobody earns by one. */
  readonly tally?: ServiceTally;
  /** Who gives up seats; without them nobody does. */
  readonly notices?: Notices;
  /** Holds back what costs bulk: repair, this drive's and that of others, and moves. */
  readonly brake?: Brake;
  /** Who else wants the line: bulk leaves them half of the time. */
  readonly line?: LineUse;
}

export interface AgentOptions {
  /** Silent for so long, a holder's seat is given away, whatever its past says. */
  readonly deadAfterMs?: number;
  /** Every segment is asked for at least this often, as far as the steps get around. */
  readonly auditIntervalMs: number;
  /** Further work of other rooms, run in the same loop. */
  readonly steps?: readonly Step[];
  /** The same of work that moves bulk. */
  readonly bulk?: readonly Step[];
}

export interface AgentStatus {
  /** Undefined on a node without a drive. */
  readonly drive: (TransferStatus & { readonly households: number }) | undefined;
  readonly peers: readonly PeerConduct[];
  /** Seats of lost members that nobody can take: too few households. */
  readonly stranded: number;
  /** Groups that lie against their policy, and that too few peers satisfy it to move. */
  readonly stuck: number;
  /** Undefined without a drive. */
  readonly repair: RepairOutlook | undefined;
  /** What somebody has to see to, the worst first. */
  readonly alerts: readonly Alert[];
}

export interface Agent {
  readonly steps: readonly Step[];
  start(): void;
  /** Ends after the steps under way. */
  stop(): Promise<void>;
  /** There may be something to do. */
  wake(): void;
  status(): AgentStatus;
  /** A holder says that it let go of its shard: it is asked for it, as in any audit. */
  heardGone(holder: PeerId, segment: SegmentId): Promise<void>;
  /** Asks all holders of this drive now, or of some of its segments. */
  verify(options: VerifyOptions): Promise<VerifyReport>;
}

export async function openAgent(needs: AgentNeeds, options: AgentOptions): Promise<Agent> {
  const deadAfterMs = options.deadAfterMs ?? limits.proofs.deadAfterMs;
  const domains = () => domainsOf(needs.network.peers());
  const conduct = new Conduct({ ...needs, domains }, { deadAfterMs });
  await conduct.open();
  const { transfer } = needs;
  const uploader = transfer === undefined ? undefined : noticed(transfer.uploader);
  const polite = (step: Step): Step => politeStep(step, needs, uploader);
  const more = [...options.steps ?? [], ...(options.bulk ?? []).map(polite)];
  if (transfer === undefined || uploader === undefined) {
    return new NodeAgent(needs, { conduct, steps: more });
  }
  const samples = new Samples(needs, { intervalMs: options.auditIntervalMs });
  await samples.open();
  const parts = { ...needs, conduct, samples, health: transfer.health };
  transfer.health.watch((observation) => conduct.saw(observation));
  const repair = new Repair(parts);
  const audit = new Audit(parts, { intervalMs: options.auditIntervalMs });
  const drift = new DriftStep(parts);
  const publish = publisher(needs.clock, transfer);
  const probe = new Probe(parts);
  await probe.open();
  const adopt = new Adopt(parts, { intervalMs: options.auditIntervalMs });
  const { relearning, reclaimer, devices, hearing, telling, roll } = transfer;
  const rescue = new RescueStep(parts);
  const balance = new Balance(parts);
  const healing = [relearning, reclaimer, probe, drift, repair, rescue, balance].map(polite);
  const own = [uploader, devices, hearing, telling, roll, adopt, audit];
  const steps = [...own, ...healing, publish, ...more];
  const agent = new NodeAgent(needs, { conduct, steps, repair, drift, audit: parts });
  for (const step of [devices, hearing, telling]) step.wake = () => agent.wake();
  return agent;
}

/** Held back by the brake, and leaves half of the line to programs and to this drive's uploads. */
function politeStep(
  step: Step, { clock, brake = noBrake, line = unusedLine }: AgentNeeds,
  uploader: NoticedStep | undefined,
): Step {
  const isWanted = (): boolean => line.isRead || (line.isSent && uploader?.isAtWork === true);
  return courteous(braked(step, brake), { clock, isWanted });
}

/** Members who were away hear of the newest head and manifests. */
function publisher(clock: Clock, transfer: Transfer): Step {
  let lastMs = clock.monotonicMs();
  return {
    name: "publish",
    async step(signal) {
      if (clock.monotonicMs() - lastMs < limits.agent.republishMs) return "idle";
      lastMs = clock.monotonicMs();
      await transfer.health.republish(signal);
      return "idle";
    },
  };
}

interface Parts {
  readonly conduct: Conduct;
  readonly steps: readonly Step[];
  readonly repair?: Repair;
  readonly drift?: DriftStep;
  readonly audit?: AuditNeeds;
}

class NodeAgent implements Agent {
  readonly #needs: AgentNeeds;
  readonly #parts: Parts;
  readonly #outlook: Outlook;
  #loop: Loop | undefined;

  constructor(needs: AgentNeeds, parts: Parts) {
    this.#needs = needs;
    this.#parts = parts;
    const { clock, log } = needs;
    this.#outlook = new Outlook({
      clock, log, left: () => parts.repair?.left.shards ?? 0, alerts: () => this.status().alerts,
    });
  }

  get steps(): readonly Step[] {
    const { steps } = this.#parts;
    return this.#needs.transfer === undefined ? steps : [...steps, this.#outlook];
  }

  start(): void {
    this.#loop ??= startLoop(this.steps, this.#needs);
  }

  async stop(): Promise<void> {
    const loop = this.#loop;
    this.#loop = undefined;
    await loop?.stop();
  }

  wake(): void {
    this.#loop?.wake();
  }

  status(): AgentStatus {
    const { conduct, repair, drift, audit } = this.#parts;
    const { transfer } = this.#needs;
    const unfit = conduct.unfit();
    const isLiving = (peer: PeerId): boolean => !unfit.has(peer);
    const sampledAtMs = (peer: PeerId): number => audit?.samples.provenAtMs(peer) ?? 0;
    const drive = transfer === undefined
      ? undefined
      : { ...transfer.status(isLiving, sampledAtMs), households: transfer.households() };
    const told = { stranded: repair?.stranded ?? 0, stuck: drift?.stuck ?? 0 };
    const removedAtMs = transfer?.roll.view().removedAtMs ?? null;
    const alerts = drive === undefined ? [] : alertsOf({
      ...told, parts: drive.parts, unplaced: unplacedOf(drive.lanes), removedAtMs,
      isDoubted: drive.isDoubted, doubtWaitsFor: drive.doubtWaitsFor,
    });
    const left = repair === undefined ? undefined : this.#outlook.of(repair.left);
    return { drive, peers: conduct.all(), ...told, repair: left, alerts };
  }

  async heardGone(holder: PeerId, segment: SegmentId): Promise<void> {
    const { audit } = this.#parts;
    if (audit === undefined) return;
    const { signal } = new AbortController();
    const { leavesPerShard: leaves } = limits.agent;
    const isAsked = (peer: PeerId): boolean => peer === holder;
    await auditSegment(audit, segment, { leaves, signal, isAsked });
  }

  async verify(options: VerifyOptions): Promise<VerifyReport> {
    const { transfer } = this.#needs;
    const { audit } = this.#parts;
    if (transfer === undefined || audit === undefined) {
      throw new HiveError("Unsupported", "agent.verify", "this node has no drive");
    }
    const blocks = options.segments === undefined ? await transfer.blocks() : 0;
    return { ...await verifySegments(audit, options), blocks };
  }
}
