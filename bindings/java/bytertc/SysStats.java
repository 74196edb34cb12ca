package @PACKAGE@;

/** What the device and this process use. Memory is in megabytes, and ratios are in per cent. */
public class SysStats {
    public int cpuCores;
    public double cpuAppUsage;
    public double cpuTotalUsage;
    public double memoryUsage;
    public long fullMemory;
    public long totalMemoryUsage;
    public long freeMemory;
    public double memoryRatio;
    public double totalMemoryRatio;
}
