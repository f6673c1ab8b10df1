/**
 * Every bound of the gateway, in one place, with its unit in the name and the reason beside it.
 * Nothing here is negotiated with a client or an upstream: what passes a limit is refused, never truncated.
 */
export const limits = {
  /** An upstream that answers nothing for this long is given up; the same default as the official SDK's requests. */
  callTimeoutMs: 60_000,
  /** The longest a configuration may ask for: beyond an hour a call is a job, and wants another tool. */
  callTimeoutMsMax: 3_600_000,
  /** Calls one thread has on the way at once; at about 2 KiB each this bounds memory, not throughput. */
  pendingCallsMax: 4_096,
  /** The official SDK's own bound for a request body. */
  bodyBytesMax: 4 * 1_048_576,
  /** Of a body that was refused so much more is read and thrown away, so that the client comes to read the answer. */
  bodyDiscardBytesMax: 64 * 1_048_576,
  /** One message of a stdio upstream; the official SDK's bound. */
  messageBytesMax: 10 * 1_048_576,
  /** What a stdio upstream may leave unread in its stdin: room for many calls of the largest body. Then it is restarted. */
  queuedBytesMax: 64 * 1_048_576,
  /** The same in messages, however small: each costs about 1 KiB of bookkeeping. */
  queuedMessagesMax: 65_536,
  /** Levels of JSON. Honest messages have dozens; from a few thousand on, writing them again overflows the stack. */
  nestingMax: 1_000,
  /** A tool definition is a few KiB; 256 KiB leaves room for generated schemas. Larger ones are skipped with a warning. */
  toolConfigBytesMax: 262_144,
  /** A server with more tools than this is broken or hostile; no model can choose among them either. */
  toolsPerUpstreamMax: 5_000,
  /** A server whose cursor never ends would be read for ever; the official client stops at the same count. */
  toolPagesMax: 64,
  /** Tools in one answer to `tools/list`: about 1 MiB of usual definitions. */
  toolsPerPage: 500,
  /** `npx -y some-server` may download a package before it says its first word. */
  connectTimeoutMs: 60_000,
  /** Listing tools, pings and discovery are cheap: a server that needs longer is not well. */
  housekeepingTimeoutMs: 10_000,
  /** How often a URL upstream is asked whether it still lives: nothing else tells us when it is quiet. */
  probeIntervalMs: 10_000,
  /** One lost probe may be the network's fault, two are the upstream's. */
  probeFailuresMax: 2,
  /** First wait before an upstream is started again. */
  restartBackoffMs: 250,
  /** Longest wait between two starts: a repaired server is back within half a minute. */
  restartBackoffMsMax: 30_000,
  /** An upstream that served this long starts the back-off anew. */
  stableMs: 30_000,
  /** Waits before a crashed thread is started again: short, because its share of the connections waits for it. */
  threadBackoffMs: 100,
  threadBackoffMsMax: 5_000,
  /** A thread that does not listen by then never will. */
  threadStartMs: 30_000,
  /** Start-up reports what is up after this long; slower upstreams are reported when they come. */
  settleMs: 15_000,
  /** While draining, open connections get this long to be told `Connection: close` by an answer before listeners close. */
  drainAnnounceMs: 250,
  /** Calls in flight may take this long to finish when the gateway is told to stop. */
  drainMs: 10_000,
  /** A stdio child has this long to leave after its stdin closed, and again after SIGTERM, before SIGKILL. */
  childExitMs: 1_500,
  /** What an exited child wrote last must be read within this; only a stubborn grandchild keeps its pipes open. */
  pipeDrainMs: 200,
  /** All headers must be in by then (slow-loris), and the whole request by the next. */
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  /** Idle keep-alive: longer than the 60 s of common load balancers, so that they close first. */
  keepAliveTimeoutMs: 65_000,
  /** Where nothing tells us of a change, we ask again after this long. */
  pollMs: 20,
  /** Threads: more than this on one port is a typing error. */
  threadsMax: 64,
  /** Upstreams in one configuration. */
  upstreamsMax: 256,
  /** Characters of a server's name; with its kind it must fit a registry key of 255 UTF-8 bytes. */
  serverNameBytesMax: 200,
  /** Lines of an upstream's stderr kept for the report of its failure. */
  stderrLinesMax: 20,
  /** Characters kept of one such line. */
  stderrLineCharsMax: 500,
} as const;
