export function late() {
  return "late, and without styles";
}
