// Everything exported here is a promise to users.
export { EncodedConfig, encodeConfig, type JsonInput, type JsonValue } from '../shared/codec.ts';
export { RegistryError, type RegistryErrorCode } from '../shared/errors.ts';
export { Admission, AdmissionRefusedError, type AdmissionState } from './admission.ts';
export { Balancer, type BalanceStrategy, balance } from './balance.ts';
export { Bindings, type BindOptions } from './bindings.ts';
export type { ThreadFigures } from './census.ts';
export {
  type AlarmEvents,
  type AlarmReason,
  Alarms,
  type ContentionStatus,
  type ShardContention,
} from './contention.ts';
export { Counter, type CounterOptions, Counters } from './counters.ts';
export type { Entry, OwnerInfo } from './entry.ts';
export { AlreadyRegisteredError } from './errors.ts';
export { RemoteError } from './failure.ts';
export type { Distribution, Figures, ShardFigures } from './figures.ts';
export { Groups } from './groups.ts';
export { Insight } from './insight.ts';
export { InspectionServer, type ServeOptions } from './inspection-server.ts';
export type { NamedEntry, NameList } from './inspection-wire.ts';
export { Inspector, type InspectorOptions } from './inspector.ts';
export type { Change } from './kind-changes.ts';
export { type GroupMember, type MemberOptions, Membership } from './membership.ts';
export type { Address, CallOptions, RouteAsyncOptions, RouteOptions } from './message-options.ts';
export { Messages } from './messages.ts';
export { type Down, type DownReason, Monitor, type MonitorOptions, type MonitorTarget } from './monitors.ts';
export type { OwnerOptions, RegisterOptions, RegistryOptions } from './options.ts';
export { Owner } from './owner.ts';
export type { PrometheusOptions } from './prometheus.ts';
export { Properties, PropertiesView } from './properties.ts';
export { type MessageContext, type MessageHandler, type ReceiveOptions, Receiver } from './receivers.ts';
export { Ref } from './ref.ts';
export { Registration } from './registration.ts';
export { Registry, type RegistryHandle, type TryRegisterResult } from './registry.ts';
export type { CallContext, CallHandler } from './service.ts';
export type { LatencyStats, PartitionStats } from './stats.ts';
export type { StateIterator } from './wait.ts';
export type { AwaitOptions, WatchOptions } from './watches.ts';
