/** Limits of finding peers and records, and of being found behind a router; see limits.ts. */
import { KiB, MiB } from "../bytes.ts";

export const findingLimits = {
  dht: {
    /** Offers in one slot: 12 KiB of an answer, and enough of a place for one group. */
    slotOffersMax: 32,
    /** Of them from one /24 or /48: it takes eight such to fill a slot with one's own. */
    slotOffersPerPrefixMax: 4,
    /** Offers in slots are renewed four times in this; a peer that is gone is gone from them. */
    slotAgeMsMax: 26 * 3_600_000,
    publishEveryMs: 6 * 3_600_000,
    /** After the start: whoever looks in for a moment need not tell everybody. */
    publishAfterMs: 30_000,
    /** Heads and manifests: their owner's machine may be off for its holidays. */
    recordAgeMsMax: 30 * 24 * 3_600_000,
    /** Records kept for one peer, and for all of one /24 or /48. */
    recordsPerPeerMax: 256,
    recordsPerPrefixMax: 1024,
    /** Slots that one search looks into. */
    slotLooksMax: 12,
    /** With fewer known peers a node looks for more by itself, this often. */
    peersWanted: 64,
    seekEveryMs: 15 * 60_000,
    /** A peer that does not answer is looked for by its key this often. */
    lookUpEveryMs: 3_600_000,
    /** Unknown peers of whom is remembered that they were asked for. */
    soughtMax: 1024,
    /**
     * How long one peer may take, dialling included. libp2p's own measure grows to a minute when
     * some are silent on purpose, and with it every lookup.
     */
    answerMsMin: 3_000,
    answerMsMax: 5_000,
    /** To find those who shall keep a record, and to give it to them; nobody waits for it. */
    publishTimeoutMs: 30_000,
    /** Of one question: the longest record and what is around it. */
    messageBytesMax: 80 * KiB,
    /** Peers that one answer names: the 20 nearest, whom it was asked for, and the answerer. */
    answerPeersMax: 22,
    /** Of each: twice what an offer has. */
    answerAddressesMax: 16,
    /** So many peers, each as long as it is remembered, and the longest record. */
    answerBytesMax: 256 * KiB,
    /** Streams of one connection that ask the DHT at once. */
    streamsMax: 16,
    /** Peers of one /24 or /48 in the routing table, which has 20 for each distance. */
    tablePerPrefixMax: 4,
    /** Ways of a lookup that share no peer: a liar misleads only its own. */
    disjointPaths: 8,
  },
  lan: {
    /** How soon a node that is alone asks its local network again: it may be another one by now. */
    lookMs: 60_000,
    /** With company it asks ever more rarely: whoever comes asks by himself, and is answered. */
    pauseMsMax: 30 * 60_000,
  },
  upnp: {
    /** Until a router has answered it is searched for this often, a few seconds long. */
    searchEveryMs: 5 * 60_000,
    /** Between the questions of one search. */
    askEveryMs: 2_000,
  },
  relay: {
    /** Peers behind routers that one relay keeps reachable; a home's router bears as many. */
    reservationsMax: 32,
    reservationMs: 3_600_000,
    /** Of them from one /24 or /48: it takes eight such to shut others out. */
    reservationsPerPrefixMax: 4,
    /** What one relayed connection may carry and last: a small segment, and its proofs. */
    connectionBytesMax: 32 * MiB,
    connectionMs: 10 * 60_000,
    /** Relayed connections of one peer that are begun or answered at once. */
    streamsMax: 8,
    /** Between two random places of the DHT where a node looks for a relay; doubles each time. */
    searchPauseMsMin: 2_000,
    searchPauseMsMax: 10 * 60_000,
    /** How long a peer may take to be asked whether it takes a relayed connection. */
    hopTimeoutMs: 10_000,
  },
} as const;
