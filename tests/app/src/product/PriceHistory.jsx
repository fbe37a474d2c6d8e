import { Area, AreaChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";
import { useDates } from "../dates.js";
import { usePrice } from "../text.js";
import styles from "./PriceHistory.module.css";

/** The price over the months, as a chart. */
export default function PriceHistory({ history }) {
  const dates = useDates();
  const price = usePrice();
  return (
    <div className={styles.chart} data-chart>
      <ResponsiveContainer width="100%" height="100%">
        <AreaChart data={history} margin={{ top: 8, right: 16, bottom: 0, left: 16 }}>
          <CartesianGrid strokeDasharray="3 5" opacity={0.4} />
          <XAxis dataKey="month" tickFormatter={dates.month} />
          <YAxis tickFormatter={price} domain={[0, "auto"]} width={72} />
          <Tooltip formatter={(cents) => price(cents)} labelFormatter={dates.month} />
          <Area type="monotone" dataKey="cents" stroke="var(--coral)" fill="var(--coral)" fillOpacity={0.25} isAnimationActive={false} />
        </AreaChart>
      </ResponsiveContainer>
    </div>
  );
}
