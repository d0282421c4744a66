/**
 * A node's own libp2p identity, apart from any drive: an Ed25519 key made from the node's seed.
 *
 * A peer id is base58btc of the identity multihash of the key's protobuf:
 *   0x00 0x24 | 0x08 0x01 0x12 0x20 | 32-byte public key          (12D3Koo...)
 * Peer ids of other key types are refused: every Hive node has an Ed25519 key.
 */
import { base58btc } from "multiformats/bases/base58";
import { asBuffer } from "../../base/bytes.ts";
import { HiveError, assert } from "../../base/errors.ts";
import { type PeerId, parsePeerId } from "../../base/ids.ts";
import { publicKeyBytes, signerOf } from "./ed25519.ts";

const peerPrefix = Buffer.from([0x00, 0x24, 0x08, 0x01, 0x12, 0x20]);

export interface PeerKeys {
  readonly peer: PeerId;
  sign(message: Uint8Array): Buffer;
  /** 64 bytes, seed then public key: what `privateKeyFromRaw` of @libp2p/crypto/keys takes. */
  readonly privateKeyRaw: Buffer;
}

export function peerKeysOf(seed: Uint8Array): PeerKeys {
  const signer = signerOf(seed);
  return {
    peer: peerOfPublicKey(signer.publicKey),
    sign: signer.sign,
    privateKeyRaw: Buffer.concat([seed, signer.publicKey]),
  };
}

export function peerOfPublicKey(publicKey: Uint8Array): PeerId {
  assert(publicKey.length === publicKeyBytes, "an Ed25519 public key has 32 bytes");
  return parsePeerId(base58btc.baseEncode(Buffer.concat([peerPrefix, publicKey])));
}

/** The Ed25519 key inside a peer id; a peer id that holds none is Corrupt. One text per key. */
export function publicKeyOfPeer(peer: PeerId): Buffer {
  const bytes = asBuffer(decoded(peer));
  const publicKey = bytes.subarray(peerPrefix.length);
  const right = bytes.subarray(0, peerPrefix.length).equals(peerPrefix);
  if (!right || publicKey.length !== publicKeyBytes) throw corrupt(peer);
  return publicKey;
}

function decoded(peer: PeerId): Uint8Array {
  try {
    return base58btc.baseDecode(parsePeerId(peer));
  } catch (cause) {
    throw new HiveError("Corrupt", "peer-key.decode", peer, { cause });
  }
}

function corrupt(peer: PeerId): HiveError {
  return new HiveError("Corrupt", "peer-key.decode", `${peer} is not of an Ed25519 key`);
}
