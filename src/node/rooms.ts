/** The rooms of a node, built and introduced to each other; whoever closes the parts ends them. */
import { join } from "node:path";
import { type Agent, openAgent } from "../agent/agent.ts";
import { LettingGo } from "../agent/letting-go.ts";
import type { CensusTaker, UploadSource } from "../base/blocks.ts";
import { systemClock as clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { memoryStep } from "../base/memory.ts";
import { systemRandom as random } from "../base/random.ts";
import { type RemoteBlocks, emptySource } from "../bridge/source.ts";
import { openKeyValue } from "../cache/cache.ts";
import { certifier } from "../crypt/certificates.ts";
import { driveKeysOf } from "../crypt/drive.ts";
import { peerKeysOf } from "../crypt/peer-key.ts";
import { openCoder } from "../erasure/erasure.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { type MadeUpWorld, type Peers, openPeers } from "../peers/peers.ts";
import { policiesOf } from "../placement/describe.ts";
import { Places } from "../places/places.ts";
import { Survey } from "../places/survey.ts";
import { type Transfer, openTransfer } from "../transfer/transfer.ts";
import { type Vault, openVault } from "../vault/vault.ts";
import { type NodeConfig, noTexts, privateDirectory } from "./config.ts";
import { countedNetwork } from "./counted.ts";
import { type Met, openNodeLedger } from "./ledger.ts";

export interface NodeNeeds {
  readonly log: Log;
  /** The drive's cache, for uploads and for IPFS; a node without a drive has none. */
  readonly source?: UploadSource;
  readonly blocks?: RemoteBlocks;
  readonly census?: CensusTaker;
  /** In tests and drills alone. */
  readonly world?: MadeUpWorld;
}

export interface Rooms {
  readonly peers: Peers;
  readonly vault: Vault;
  readonly transfer: Transfer | undefined;
  readonly agent: Agent;
  readonly places: Places;
  readonly ledger: Ledger;
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
  const { log, source, world } = needs;
  const directory = privateDirectory(config.directory);
  const keys = peerKeysOf(config.peerSeed);
  const openBooks = async (name: string) =>
    parts.use(await openKeyValue(join(directory, "books", name)));
  // The vault answers peers, and judges by what is known of them: each needs the other; and the
  // ledger judges by what the vault keeps.
  const met: Met = {};
  const ledgerNeeds = { clock, random, log, keys, met, books: await openBooks("ledger") };
  const ledger = await openNodeLedger(ledgerNeeds, config);
  const neighbours = { offer: () => met.peers?.offer(), peers: () => met.peers?.peers() ?? [] };
  const judges = { neighbours, lender: ledger.lender };
  const vaultNeeds = { directory: join(directory, "vault"), clock, log, keys, ...judges };
  const books = await openBooks("vault");
  const vault = parts.use(await openVault({ ...vaultNeeds, books }, config));
  met.vault = vault;
  const driveKeys = config.driveSeed === undefined ? undefined : driveKeysOf(config.driveSeed);
  const device = { peer: keys.peer, name: config.deviceName };
  const certificates =
    driveKeys === undefined ? () => [] : certifier(driveKeys, device, clock);
  const ipfs = needs.blocks === undefined ? {} : { blocks: needs.blocks, fetcher: needs.blocks };
  const people = { clock, random, log, books: await openBooks("peers"), host: vault };
  const places = parts.use(new Places(people, { ...config, self: keys.peer }));
  const company = { ...people, certificates, places, world, ledger: ledger.host, ...ipfs };
  const peers = parts.use(await openPeers(company, config));
  met.peers = peers;
  const shared = { network: countedNetwork(peers, ledger.tally), clock, random, log };
  const transfer =
    driveKeys === undefined
      ? undefined
      : await openTransfer({
          ...shared,
          source: source ?? emptySource,
          census: needs.census,
          books: await openBooks("transfer"),
          coder: openCoder(),
          keys: driveKeys,
        }, transferOptions(config.policies));
  met.transfer = transfer;
  const survey = new Survey({
    ...people, places, network: peers.ranging, peers: () => peers.peers(),
    wanted: transfer === undefined ? undefined : () => transfer.holders().keys(),
  });
  const lettingGo = new LettingGo({ ...shared, vault, creditors: ledger });
  // Beside a drive it is a thread that nobody waits for: at rest it has nothing better to do.
  const memory = source === undefined ? [] : [memoryStep({ clock })];
  const agent = await openAgent(
    { ...shared, transfer, tally: ledger.tally, books: await openBooks("agent") },
    { ...config, steps: [peers.step, vault.step, survey, ledger.step, lettingGo, ...memory] },
  );
  parts.defer(() => agent.stop());
  const problem = config.policies?.problem ?? null;
  const { deviceName: name, networkKey } = config;
  return { peers, vault, transfer, agent, places, ledger, name, networkKey, problem };
}

function transferOptions(texts = noTexts) {
  const { drive: policy, driveName: policyName, named } = policiesOf(texts);
  return { policy, policyName, named };
}
