package io.rts.test;

import java.lang.reflect.AnnotatedElement;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.util.TreeSet;

/** Prints the public members of the named classes, one in a line, in order. */
public final class Signatures {
    public static void main(String[] names) throws Exception {
        for (String name : names) {
            Class<?> of = Class.forName(name);
            System.out.println(Modifier.toString(of.getModifiers()) + " " + name);
            TreeSet<String> lines = new TreeSet<>();
            for (Constructor<?> one : of.getDeclaredConstructors()) {
                add(lines, one.getModifiers(), one);
            }
            for (Method one : of.getDeclaredMethods()) {
                add(lines, one.isSynthetic() ? 0 : one.getModifiers(), one);
            }
            for (Field one : of.getDeclaredFields()) {
                add(lines, one.isSynthetic() ? 0 : one.getModifiers(), one);
            }
            lines.forEach(line -> System.out.println("    " + line));
        }
    }

    private static void add(TreeSet<String> lines, int modifiers, AnnotatedElement one) {
        if (Modifier.isPublic(modifiers)) {
            lines.add(one.toString());
        }
    }
}
