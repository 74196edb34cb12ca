package android.content;

/** In place of Android's, to compile and run without it. It is in no artifact. */
public abstract class Context {
}
