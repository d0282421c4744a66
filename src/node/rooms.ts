/** The rooms of a node, built and introduced to each other; whoever closes the parts ends them. */
import { type Agent, openAgent } from "../agent/agent.ts";
import { openGuardian } from "../agent/guardian.ts";
import { GivingUp } from "../agent/giving-up.ts";
import { Leaving } from "../agent/leaving.ts";
import { LettingGo } from "../agent/letting-go.ts";
import { booksUnder } from "../agent/own-books.ts";
import { Shedding } from "../agent/shedding.ts";
import { systemClock as clock } from "../base/clock.ts";
import { memoryStep } from "../base/memory.ts";
import { systemRandom as random } from "../base/random.ts";
import { emptySource } from "../bridge/source.ts";
import { driveKeysOf } from "../crypt/drive.ts";
import { openCoder } from "../erasure/erasure.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Peers } from "../peers/peers.ts";
import { policiesOf } from "../placement/describe.ts";
import type { Places } from "../places/places.ts";
import { Survey } from "../places/survey.ts";
import { LinkStep } from "../traffic/link.ts";
import type { Traffic } from "../traffic/traffic.ts";
import { type Transfer, openTransfer } from "../transfer/transfer.ts";
import type { Vault } from "../vault/vault.ts";
import { openCompany } from "./company.ts";
import { type NodeConfig, type NodeNeeds, noTexts } from "./config.ts";
import { openHouse } from "./house.ts";

export interface Rooms {
  readonly peers: Peers;
  readonly vault: Vault;
  readonly transfer: Transfer | undefined;
  readonly agent: Agent;
  readonly places: Places;
  readonly ledger: Ledger;
  readonly traffic: Traffic;
  readonly leaving: Leaving;
  readonly shedding: Shedding;
  /** The device's, for invites. */
  readonly name: string;
  /** What is wrong with the user's policies. */
  readonly problem: string | null;
  readonly networkKey: Uint8Array | undefined;
}

export async function openRooms(
  needs: NodeNeeds,
  config: NodeConfig,
  parts: AsyncDisposableStack,
): Promise<Rooms> {
  const { log, source } = needs;
  const house = await openHouse(needs, config, parts);
  const { keys, ledger, vault, met, notices, openBooks } = house;
  const driveKeys = config.driveSeed === undefined ? undefined : driveKeysOf(config.driveSeed);
  const company = await openCompany(needs, config, { ...house, driveKeys }, parts);
  const { peers, places, traffic, network } = company;
  const shared = { network, clock, random, log };
  const coder = openCoder();
  const transfer =
    driveKeys === undefined
      ? undefined
      : await openTransfer({
          ...shared,
          source: source ?? emptySource,
          census: needs.census,
          books: await openBooks("transfer"),
          coder,
          keys: driveKeys,
          brake: traffic.uploads,
          mayReadAhead: (bytes) => traffic.mayReadAhead(bytes),
        }, transferOptions(config.policies));
  met.transfer = transfer;
  const survey = new Survey({
    ...shared, places, network: peers.ranging, peers: () => peers.peers(),
    wanted: transfer === undefined ? undefined : () => transfer.holders().keys(),
  });
  const lettingGo = new LettingGo({ ...shared, vault, creditors: ledger });
  // Beside a drive it is a thread that nobody waits for: at rest it has nothing better to do.
  const memory = source === undefined ? [] : [memoryStep({ clock })];
  const books = await openBooks("agent");
  const guard = await openGuardian(
    { ...shared, host: vault, shelf: vault.shelf, books, coder, keys, notices },
    guardianOptions(config),
  );
  met.guardian = guard;
  const givingUp = new GivingUp({ ...shared, vault, notices });
  const going = { clock, log, vault, givingUp, self: keys.peer };
  const leaving = new Leaving({ ...going, books: booksUnder(books, "leave/") });
  await leaving.open();
  const shedding = new Shedding({
    ...going, peers: () => peers.peers(), isLeaving: () => leaving.isUnderWay,
  });
  const link = new LinkStep({ clock, log, traffic });
  const letGo = [lettingGo, leaving, shedding];
  const steps = [peers.step, vault.step, guard, survey, ledger.step, ...letGo, link, ...memory];
  const agentNeeds = {
    ...shared, transfer, tally: ledger.tally, books, brake: traffic.healing, line: traffic, notices,
  };
  const agent = await openAgent(agentNeeds, { ...config, steps });
  traffic.onRelease(() => agent.wake());
  notices.onNews(() => agent.wake());
  parts.defer(() => agent.stop());
  const problem = config.policies?.problem ?? null;
  const { deviceName: name, networkKey } = config;
  const told = { name, networkKey, problem };
  return { peers, vault, transfer, agent, places, ledger, traffic, leaving, shedding, ...told };
}

function guardianOptions({ deadAfterMs, auditIntervalMs: intervalMs, guardLeaseMs }: NodeConfig) {
  const lease = guardLeaseMs === undefined ? {} : { leaseMs: guardLeaseMs };
  return { deadAfterMs, intervalMs, ...lease };
}

function transferOptions(texts = noTexts) {
  const { drive: policy, driveName: policyName, named } = policiesOf(texts);
  return { policy, policyName, named };
}
