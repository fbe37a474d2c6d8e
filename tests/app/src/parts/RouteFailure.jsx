import { useRouteError } from "react-router";
import { Failure } from "./Failure.jsx";

/** A page that could not be shown: most often its file is gone because the shop was updated, which a reload mends. */
export function RouteFailure() {
  const error = useRouteError();
  return <Failure error={error instanceof Error ? error : new Error(String(error))} onRetry={() => location.reload()} />;
}
