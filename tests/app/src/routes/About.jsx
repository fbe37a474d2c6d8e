import harbour from "../images/harbour.png";
import { useText } from "../text.js";
import styles from "./About.module.css";

const licenceUrl = `${import.meta.env.BASE_URL}licences/space-grotesk.txt`;

export function Component() {
  const t = useText();
  return (
    <article className={styles.about}>
      <img src={harbour} alt="" width="960" height="320" loading="lazy" />
      <h1>{t("about.title", "About us")}</h1>
      <p>{t("about.story", "We are two people and a shed by the water. What we sell, we have dropped overboard at least once, and wanted back.")}</p>
      <p>{t("about.promise", "If something breaks, bring it back. We mend it, or we tell you how.")}</p>
      <p className={styles.small}>
        {t("about.font", "Set in Space Grotesk,")} <a href={licenceUrl}>SIL Open Font License</a>.
      </p>
    </article>
  );
}
Component.displayName = "About";
