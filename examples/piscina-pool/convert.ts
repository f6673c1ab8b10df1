import { RegistryError } from 'rollcall';
import { attachedRegistry } from 'rollcall/piscina';

const registry = attachedRegistry();
const conversions = registry.counter('conversions');

interface Conversion {
  readonly dollars: number;
  readonly to: string;
}

export default function convert({ dollars, to }: Conversion): number {
  const rate = registry.whereis<{ perDollar: number }>('currency', to)?.config;
  if (rate === undefined) throw new RegistryError('NOT_FOUND', `nobody has registered a rate for ${to}`);
  conversions.increment();
  return dollars * rate.perDollar;
}
