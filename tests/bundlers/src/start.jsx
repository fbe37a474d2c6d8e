// The app; what bundlers disagree on (how a file's URL is asked for, how a worker starts) comes in as `assets`.
import { createRoot } from "react-dom/client";
import { createBrowserRouter, Link, Outlet } from "react-router";
import { RouterProvider } from "react-router/dom";
import { Checks } from "./checks/Checks.jsx";
import { checksOf } from "./checks/checks.js";
import notes from "./notes.json";
import styles from "./start.module.css";
import "@fontsource/space-grotesk/latin-400.css";
import "./global.css";

export function start(assets) {
  const checks = checksOf(assets);
  const router = createBrowserRouter([
    {
      path: "/",
      element: <Layout assets={assets} />,
      hydrateFallbackElement: <p>…</p>,
      children: [
        { index: true, element: <Checks title={notes.title} checks={checks} /> },
        { path: "about", lazy: () => import(/* webpackChunkName: "about" */ "./routes/About.jsx") },
        { path: "*", lazy: () => import("./routes/NotFound.jsx") },
      ],
    },
  ]);
  createRoot(document.getElementById("root")).render(<RouterProvider router={router} />);
}

function Layout({ assets }) {
  return (
    <div className={styles.page}>
      <nav>
        <img src="/logo.png" alt="" width="32" height="32" /> <Link to="/">Start</Link> <Link to="/about">About</Link>
      </nav>
      <Outlet />
      <p>
        <img src={assets.svg} alt="" width="120" height="120" /> <img src={assets.png} alt="" width="120" height="120" />
      </p>
    </div>
  );
}
